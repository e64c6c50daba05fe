"""What fits of bins to the runs of a scan have in common: terms, inputs, targets and their Monte Carlo errors."""
