"""Commands that are stages of a tune, and what they need: points, events, proposals."""
