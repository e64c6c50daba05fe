"""Single steps without a card: fits, predictions, conversions."""
