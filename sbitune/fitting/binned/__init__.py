"""What only fits of bins have: theory errors, robust losses, weights of observables, eigentunes."""
