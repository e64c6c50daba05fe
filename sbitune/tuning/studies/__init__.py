"""What a tune owes to its data, its runs and its order, and where the next runs teach most."""
