"""Terms of a likelihood that is a product: counted bins, events, constraints, and bins with Gaussian errors."""
