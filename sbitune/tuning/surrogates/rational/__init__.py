"""Ratios of two polynomials for every bin, or every component."""
