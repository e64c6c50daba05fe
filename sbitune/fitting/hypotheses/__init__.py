"""Tests of values of one parameter: statistics, p-values, limits, significances, impacts, Neyman's construction."""
