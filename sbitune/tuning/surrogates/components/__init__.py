"""Combinations of bins in place of bins: how they are found, learnt, and put together again."""
