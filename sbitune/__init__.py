"""sbitune: tune Monte Carlo generators to measured data, with error bars that are true."""

__version__ = "0.1.0"
