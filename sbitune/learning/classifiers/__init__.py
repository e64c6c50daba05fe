"""Classifiers: networks whose outputs are logarithms of ratios of densities, and their losses."""
