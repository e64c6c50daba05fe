"""Codes of the faults of what a fit is asked for: stable, whatever the words."""

#: code -> what is wrong
CODES = {"fit-theory-error": "an error that the model is to have beyond its own, and cannot"}
