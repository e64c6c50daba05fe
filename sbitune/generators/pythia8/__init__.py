"""Pythia 8: events as flat arrays, and what its settings mean."""
