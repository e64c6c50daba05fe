"""What all analyses share: projections of events, histograms being filled, the run and the finishing of its results."""
