"""Professor's ipol.dat: as a surrogate, and made of any surrogate."""
