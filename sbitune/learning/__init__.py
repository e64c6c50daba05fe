"""Floor 1: the JAX core of networks. No physics here."""
