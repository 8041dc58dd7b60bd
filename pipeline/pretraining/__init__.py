"""Pretraining of the small ViT and SAM that the workflow ships."""
