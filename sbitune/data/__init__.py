"""Floor 0: plain NumPy types, the YODA format and files on disk."""
