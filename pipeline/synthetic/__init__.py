"""Drawn people, objects, scenes and cameras: the data of the embedded default run."""
