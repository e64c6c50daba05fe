"""The page of a fit of events."""
