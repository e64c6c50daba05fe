"""Observables of the LHC."""
