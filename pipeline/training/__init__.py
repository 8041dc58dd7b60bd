"""Training: two views of each image, losses, memory bank, optimiser and the loop."""
