"""Cards of posteriors: from a table of simulations to the posterior of an observation, with its checks."""
