"""What parts of the pipeline cost: each module prints its measurement."""
