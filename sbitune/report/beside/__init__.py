"""What a page says of other results that lie beside its card: limits, belts, impacts, posteriors."""
