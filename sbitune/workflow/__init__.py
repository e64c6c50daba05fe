"""Floor 3: from a card to a result, whatever the family."""
