"""Record how each result was made, and trace it back to its sources by hashes."""
