"""Results: records that are written and read back, provenance, findings, checks and the verdict from them."""
