"""Pictures: of the data, of training, and of what a network does."""
