"""Sampling of a likelihood or a ratio with its prior: on a grid, by adaptive importance sampling, by NUTS."""
