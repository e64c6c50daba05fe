"""What is learnt of pairs (theta, x): the posterior, the likelihood or their ratio to the marginal, a module each."""
