"""Surrogates in few numbers: as one polynomial, as kernels of the runs, as outputs that are learnt independently."""
