"""The name of a joint training set."""

JOIN = "+"
"""Joins the names of its datasets, in folders, records and image keys."""
