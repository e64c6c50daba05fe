"""Calibration of learned log ratios on events with labels: how far they are off, and what mends it."""
