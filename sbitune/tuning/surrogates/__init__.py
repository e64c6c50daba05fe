"""Surrogates: what a scan teaches about every bin between its runs.

All satisfy `protocols.TrainedSurrogate`. `training.train` makes them, `storage` keeps them, `heldout.evaluation` judges
them, `choice` finds the kind, and the `registry` knows all kinds, each of which has a folder of its own. Nothing is
imported here: cards need `config` only, which is free of JAX.
"""
