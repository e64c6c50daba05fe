"""The posterior: NUTS, chains, importance weights, predictions."""
