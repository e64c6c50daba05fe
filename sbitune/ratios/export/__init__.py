"""Fits of events for other programs: held events binned in a discriminant, as a workspace of pyhf."""
