"""Floor 4: fits of parameters to events by learned likelihood ratios."""
