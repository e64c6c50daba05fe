"""Floor 2: fitting parameters: objectives, minimiser, results."""
