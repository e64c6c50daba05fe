"""Cards of ratios that depend on parameters: from tables of events at many settings to a fit of data."""
