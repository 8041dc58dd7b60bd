"""The rendered benchmark and the scenes with occluders: the data of the embedded default run."""
