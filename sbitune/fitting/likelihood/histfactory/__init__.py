"""Counted bins made of samples that nuisance parameters modify, as HistFactory has them."""
