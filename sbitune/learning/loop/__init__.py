"""What the training loop runs: an epoch that is compiled once, and orders of events."""
