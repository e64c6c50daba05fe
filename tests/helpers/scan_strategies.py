"""Scans for hypothesis: any numbers, histograms with gaps in their bin numbers, bins without a width."""

import numpy as np
from hypothesis import strategies as st

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.data.scan import Scan

numbers = st.floats(allow_nan=False, allow_infinity=False)
#: what a computer has the square of
sizes = st.just(0.0) | st.floats(1e-150, 1e150)
contents = sizes | sizes.map(lambda size: -size)
#: in which a parameter can be fitted
ranges = st.tuples(st.floats(-1e100, 1e100), st.floats(-1e100, 1e100)).filter(
    lambda pair: pair[1] - pair[0] > max(2e-9 * max(abs(pair[0]), abs(pair[1])), 1e-99)
)
edges = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=2).map(sorted)
names = st.from_regex(r"[abAB:_][abAB:_.019]{0,5}", fullmatch=True)  # no number is the name of a parameter
paths = st.text("abAB:=-019", min_size=1, max_size=6).map(lambda text: "/A/" + text)


@st.composite
def scans(draw) -> Scan:
    parameters = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    places = [
        (path, index)
        for path in draw(st.lists(paths, min_size=1, max_size=2, unique=True))
        for index in draw(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True))
    ]
    # no bin twice: a scatter has no point twice
    spans = draw(st.lists(edges, min_size=len(places), max_size=len(places), unique_by=tuple))
    runs = sorted(draw(st.lists(st.text("abAB_019", min_size=1, max_size=4), min_size=1, max_size=3, unique=True)))

    def table(columns, values):
        return np.array([[draw(values) for _ in range(columns)] for _ in runs])

    return Scan(
        parameters=tuple(Parameter(name, *draw(ranges)) for name in parameters),
        theta=table(len(parameters), numbers),
        values=table(len(places), contents),
        errors=table(len(places), sizes),
        bins=Bins(*zip(*places, strict=True), *zip(*spans, strict=True)),
        runs=tuple(runs),
    )


def same(ours: Scan, theirs: Scan) -> bool:
    """Whether two scans hold the same, every number bit for bit, edges within the tolerance of bins."""
    return (
        ours.parameters == theirs.parameters
        and ours.runs == theirs.runs
        and ours.bins.labels() == theirs.bins.labels()
        and bool(ours.bins.matches(theirs.bins).all())
        and all(np.array_equal(getattr(ours, name), getattr(theirs, name)) for name in ("theta", "values", "errors"))
    )
