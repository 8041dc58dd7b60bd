"""Measurements of cost and of the rendered benchmark: each module prints its own."""
