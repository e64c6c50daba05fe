"""The field's files: Professor, Apprentice, MCNNTunes, `ipol.dat`, weights, parameters."""
