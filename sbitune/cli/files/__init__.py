"""Commands about files: predictions, exports, listings, conversions."""
