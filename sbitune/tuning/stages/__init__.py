"""The stages of a tune, from its card to its result."""
