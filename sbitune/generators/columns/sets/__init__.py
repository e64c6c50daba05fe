"""The sets of columns that sbitune has."""
