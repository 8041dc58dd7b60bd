"""Files that the workflow downloads: known sources, and the transfer."""
