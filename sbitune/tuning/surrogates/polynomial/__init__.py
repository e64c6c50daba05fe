"""Polynomials for every bin, or every component."""
