"""Where a result comes from: every file that it was made of, against its hash."""
