"""Campaigns: many runs, side by side, resumed after a kill."""
