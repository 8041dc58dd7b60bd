"""Figures of the data, of training and of the network."""
