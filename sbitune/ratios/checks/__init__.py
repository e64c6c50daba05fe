"""Checks of learned ratios on events that no network has seen."""
