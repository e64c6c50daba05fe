"""Weights by which a run of Pythia becomes one at other hadronisation parameters, event by event and exactly.

    variations = Variations.of({"StringZ:aLund": (0.48, 0.58, 0.78, 0.88), "StringFlav:probStoUD": (0.17, 0.19, 0.24)})
    settings = variations.added_to(settings)        # of the generator; every event then has these weights, by name
    statistics = recover(events, variations, {"StringZ:aLund": 0.68, "StringFlav:probStoUD": 0.217})
    statistics.log_weight({"StringZ:aLund": 0.7})   # at any value between those that were varied, of every event
    statistics.score("StringFlav:probStoUD")

Forms of the weights in `forms`, what is asked of Pythia in `variations`, weights at other values in `statistics`.
"""

from sbitune.generators.reweighting.statistics import EventStatistics, recover
from sbitune.generators.reweighting.variations import Variations

__all__ = ["EventStatistics", "Variations", "recover"]
