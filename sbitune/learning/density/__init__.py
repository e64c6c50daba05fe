"""Densities in a box given data: ensembles of conditional flows, trained on pairs of parameters and data."""
