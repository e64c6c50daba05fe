"""How far a fit can be trusted: toys, coverage, goodness of fit, tension, bootstrap."""
