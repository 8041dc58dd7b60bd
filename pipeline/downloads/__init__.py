"""Files that the workflow fetches: what is known of them, and how they are brought."""
