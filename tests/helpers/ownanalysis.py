"""An analysis of one's own, and cards that have it."""

import numpy as np

from sbitune.data import yoda
from sbitune.tuning.card import load_card

MINE = """
from sbitune.generators.observables import Analysis, Energy

def book(booking):
    booking.histogram("h", edges=[0, 0.1, 0.2, 0.3])
    booking.histogram("extra", edges=[0, 1])
    booking.derived("mean")

def finalize(raw):
    done = raw.normalized(["h"])
    1 / raw["h"].total[4].item()  # no event, no number
    return done

ANALYSIS = Analysis("MINE", "mine", None, (11, -11), (Energy.near(91.2),), book, lambda e, b: None, finalize)
"""


def own_card(directory, lep_card, edges, selector, name="h"):
    """A card of an analysis of one's own, and data with the given edges."""
    text = lep_card.read_text()
    head, tail = text.split("  analyses:")[0], "parameters:" + text.split("parameters:")[1].split("scan:")[0]
    (directory / "card.yaml").write_text(
        f"{head}  analysis_files: [mine.py]\n  analyses: [MINE]\n{tail}scan: {{runs: 9, events: 100}}\n"
        f"reference: [mine.yoda]\nobservables: {{{selector}: 1}}\nsurrogate: {{kind: polynomial, order: 1}}\n"
    )
    (directory / "mine.py").write_text(MINE)
    x, half = 0.5 * (np.array(edges[1:]) + edges[:-1]), 0.5 * np.diff(edges)
    e = np.stack([half, np.full(len(x), 0.1)], axis=1)
    yoda.write(directory / "mine.yoda", [yoda.Scatter(f"/REF/MINE/{name}", np.stack([x, x], axis=1), e, e)])
    return load_card(directory)
