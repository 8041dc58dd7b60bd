"""Evaluation: embed query and gallery images with trained weights, then score the ranking."""
