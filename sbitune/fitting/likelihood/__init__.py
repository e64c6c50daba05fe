"""What is minimised: the likelihood of a problem, its derivatives, and a quick minimiser for many data sets."""
