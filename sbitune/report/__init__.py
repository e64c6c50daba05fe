"""Floor 4: pages made from results."""
