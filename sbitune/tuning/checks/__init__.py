"""How far a tune can be trusted: closure, coverage, jack-knife, validation."""
