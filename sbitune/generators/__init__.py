"""Floor 1: where scans come from. No JAX here: a scan worker must start fast."""
