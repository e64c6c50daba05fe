"""Networks of log r(x | theta): one file a kind, one line in the registry."""
