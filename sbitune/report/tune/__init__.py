"""Pages of a tune and of the commands around it."""
