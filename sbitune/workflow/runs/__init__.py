"""Scans of a card: checked before the first event, made, read, examined and kept."""
