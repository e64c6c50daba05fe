"""Posteriors of parameters from simulated pairs (theta, x): NPE, NLE and NRE, in one or several rounds."""
