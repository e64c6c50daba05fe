"""Likelihoods and chains for pyhf, sbi and arviz."""
