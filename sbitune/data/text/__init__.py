"""Words, numbers, names, patterns and formulas in what users write."""
