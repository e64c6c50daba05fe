"""Mixtures of processes: ratios of their densities, and what nuisance parameters do to them."""
