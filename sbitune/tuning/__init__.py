"""Floor 3: generator tuning, from a card to a tune."""
