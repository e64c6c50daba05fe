"""What a tune leaves for others: settings, tables, predictions, eigentunes."""
