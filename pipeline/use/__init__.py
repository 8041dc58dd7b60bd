"""Use a trained network: embed images, keep galleries, search them."""
