"""What runs that were held out say of a surrogate: pulls, scores, and how wide its errors must be."""
