"""Which kind of surrogate a scan is learnt with."""
