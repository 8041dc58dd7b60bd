"""A rendered world: people, objects and cameras in three dimensions, in metres."""
