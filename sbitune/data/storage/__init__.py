"""Files on disk: arrays and notes that are written whole or not at all, checked when they are read."""
