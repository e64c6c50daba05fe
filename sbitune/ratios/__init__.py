"""Parameters from events and simulations: learned likelihood ratios, and posteriors."""
