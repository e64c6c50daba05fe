"""Minima and their errors: MIGRAD, HESSE, MINOS, profiles, and fits that begin where another ended."""
