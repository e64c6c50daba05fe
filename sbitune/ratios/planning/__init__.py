"""What a fit can expect before there are data: errors at any parameters, and which columns bring them."""
