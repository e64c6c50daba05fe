"""Floor 4: figures made from results. The only place that imports matplotlib."""
