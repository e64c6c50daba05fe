"""Commands that say how far a surrogate or a tune can be trusted."""
