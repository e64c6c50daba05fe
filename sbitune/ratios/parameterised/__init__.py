"""log r(x | theta) = log p(x | theta) / p(x | reference), learned from weighted events with parameters of their own."""
