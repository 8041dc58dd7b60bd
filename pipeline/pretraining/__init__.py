"""Training of the small weights that are shipped with the workflow."""
