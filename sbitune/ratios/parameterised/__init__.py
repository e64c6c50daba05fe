"""log r(x | theta) = log p(x | theta) / p(x | reference), learned from weighted events with parameters of their own.

    parameters = (Parameter("mass", 80.0, 81.0, unit="GeV"), Parameter("width", 1.5, 2.5, unit="GeV"))
    events = events_for_ratio(read_events("scan.npz"), ["mt", "pt"], parameters)       # `samples`
    reference = events_for_ratio(read_events("default.npz"), ["mt", "pt"], parameters)
    ratio = train_ratio(key, events, reference, point={"mass": 80.4, "width": 2.1})     # `training`
    ratio = normalise(ratio, more_of_the_reference)                                     # `normalisation`
    save_ratio("ratio.npz", ratio)                                                      # `storage`
    model = RatioModel(ratio)                                                           # `model`
    found = fit(Product([UnbinnedEvents("data", model, read_events("data.npz"))], parameters))

Kinds of networks and losses are listed in `kinds.registry` and `losses.registry`, settings in `config`.
"""
