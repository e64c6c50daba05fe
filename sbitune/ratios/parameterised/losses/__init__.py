"""What is minimised: one file a family of losses, one line a loss in the registry."""
