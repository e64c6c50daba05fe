"""Ensembles that are combined on events that were held back, with the error of the ratio that this has."""
