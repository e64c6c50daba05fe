"""Networks for events with sets of particles: ragged columns, deep sets, attention."""
