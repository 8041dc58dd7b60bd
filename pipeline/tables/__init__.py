"""Tables: mean and deviation over seeds, paired comparisons, verdicts on published numbers."""
