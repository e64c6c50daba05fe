"""Regions that are fitted together with the events of a card: further events, and counted bins."""
