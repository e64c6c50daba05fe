"""`result.yaml`: the tune as it is kept."""
