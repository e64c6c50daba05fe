"""Surrogates: what a scan teaches about every bin between its runs.

All satisfy `sbitune.fitting.protocols.BinnedModel`. `training.train` makes them, `storage` keeps them, `evaluation`
judges them. Nothing is imported here: cards need `config` only, which is free of JAX.
"""
