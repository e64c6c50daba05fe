"""Gaussian processes for every bin, or every component."""
