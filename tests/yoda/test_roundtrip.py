"""What is written is read back: exactly with 17 digits, to seven digits otherwise."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sbitune.data import yoda
from sbitune.data.yoda.grids import moment_columns

few = settings(max_examples=30, deadline=None)  # the machine may be busy
numbers = st.floats(-1e200, 1e200) | st.sampled_from([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-300])
finite = st.floats(-1e30, 1e30)
texts = st.text(max_size=12)
keys = texts.filter(lambda key: key not in ("Path", "Type", "ErrorBreakdown", "ScaledBy", "WriterDoublePrecision"))
annotations = st.dictionaries(keys, texts | st.sampled_from(["*star", "a: b", "x # y", "~", "[1, {a: b}]", "$\\pi$"]))
paths = st.from_regex(r"/[A-Z0-9_]{1,8}(:OPT=[a-z0-9]+)?/d0[0-9]-x01-y01(\[[A-Za-z0-9 =.:#]{1,8}\])?", fullmatch=True)
names = st.text(min_size=1, max_size=8) | st.sampled_from(
    ["stat", "sys,lumi", "up", "dn", "null", "~", "a: {b}", "it's"]
)


def table(rows, columns, elements=finite):
    return arrays(float, (int(rows), columns), elements=elements)


@st.composite
def counters(draw):
    return yoda.Counter(draw(paths), draw(numbers), draw(numbers), draw(numbers), draw(annotations))


@st.composite
def edges(draw, maximum=6):
    """Edges of touching bins, wide enough to survive seven digits."""
    steps = draw(st.lists(st.integers(1, 50), min_size=1, max_size=maximum))
    return draw(st.sampled_from([0.0, -20.0, 1.5])) + np.cumsum([0, *steps]) / 8


@st.composite
def binned(draw, kind, columns, gaps):
    ends = draw(edges())
    keep = draw(st.lists(st.booleans(), min_size=len(ends) - 1, max_size=len(ends) - 1)) if gaps else True
    keep = np.broadcast_to(keep, len(ends) - 1).copy()
    keep[[0, -1]] = True
    sums = draw(table(keep.sum(), columns))
    total, under, over = draw(table(3, columns))
    return kind(draw(paths), ends[:-1][keep], ends[1:][keep], sums, total, under, over, draw(annotations))


@st.composite
def binned2d(draw, kind, columns):
    x, y = draw(edges(3)), draw(edges(3))
    n_x, n_y = len(x) - 1, len(y) - 1
    low = np.array([(a, b) for a in x[:-1] for b in y[:-1]])
    high = np.array([(a, b) for a in x[1:] for b in y[1:]])
    around = (n_x + 2) * (n_y + 2) - n_x * n_y
    sums, outflows = draw(table(n_x * n_y, columns)), draw(table(around, columns))
    total = sums.sum(axis=0) + outflows.sum(axis=0)
    return kind(draw(paths), low, high, sums, total, outflows, draw(annotations))


@st.composite
def shifts(draw, rows):
    """Sources: down, up, both nan where undefined."""
    sources = draw(st.dictionaries(names | st.just(""), table(rows, 2, st.floats(-1e9, 1e9)), max_size=3))
    for values in sources.values():
        undefined = draw(arrays(bool, rows))
        undefined[0] = False
        values[undefined] = np.nan
    return sources


@st.composite
def scatters(draw):
    n_points, dimension = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    values, minus, plus = (draw(table(n_points, dimension, finite)) for _ in range(3))
    if dimension > 1:
        values[:, 0] = np.arange(n_points)  # no point twice, to seven digits
    values[:, -1] = draw(arrays(float, n_points, elements=numbers))
    errors = numbers.map(abs)
    minus, plus = np.abs(minus), np.abs(plus)
    minus[:, -1], plus[:, -1] = (draw(arrays(float, n_points, elements=errors)) for _ in range(2))
    return yoda.Scatter(draw(paths), values, minus, plus, draw(shifts(n_points)), draw(annotations))


@st.composite
def axes(draw):
    kind = draw(st.sampled_from("dis"))
    if kind == "d":
        return yoda.Axis("d", draw(edges(3)))
    if kind == "i":
        return yoda.Axis("i", np.array(draw(st.lists(st.integers(-999, 999), min_size=1, max_size=3, unique=True))))
    return yoda.Axis("s", tuple(draw(st.lists(texts, min_size=1, max_size=3, unique=True))))


def masks(n_rows):
    return st.sets(st.integers(0, n_rows - 1), max_size=2).map(lambda rows: tuple(sorted(rows)))


@st.composite
def estimates(draw):
    chosen = tuple(draw(st.lists(axes(), max_size=2)))
    n_rows = int(np.prod([axis.rows for axis in chosen]))
    values = draw(arrays(float, n_rows, elements=numbers))
    masked = draw(masks(n_rows)) if chosen else ()
    return yoda.Estimate(draw(paths), chosen, values, draw(shifts(n_rows)), masked, draw(annotations))


@st.composite
def fillables(draw):
    chosen = (*draw(st.lists(axes(), max_size=1)), yoda.Axis("s", ("a", "b")))
    n_rows = int(np.prod([axis.rows for axis in chosen]))
    profile = draw(st.booleans())
    sums = draw(table(n_rows, moment_columns(len(chosen) + profile), numbers))
    return yoda.BinnedFillable(draw(paths), chosen, sums, profile, draw(masks(n_rows)), draw(annotations))


BOTH = {
    "Counter": counters(),
    "Scatter": scatters(),
    "Histo1D": binned(yoda.Histo1D, 5, gaps=False),
    "Profile1D": binned(yoda.Profile1D, 7, gaps=False),
}
ONLY_YODA1 = {
    "Histo1D with gaps": binned(yoda.Histo1D, 5, gaps=True),
    "Profile1D with gaps": binned(yoda.Profile1D, 7, gaps=True),
}
ONLY_YODA2 = {
    "Histo2D": binned2d(yoda.Histo2D, 8),
    "Profile2D": binned2d(yoda.Profile2D, 10),
    "Estimate": estimates(),
    "BinnedFillable": fillables(),
}


def close(found, wanted):
    """Compare two objects, or parts of them, to the seven digits of a file."""
    assert type(found) is type(wanted)
    if isinstance(wanted, float | np.ndarray) and np.asarray(wanted).dtype.kind == "f":
        np.testing.assert_allclose(found, wanted, rtol=5.01e-7)
    elif hasattr(wanted, "__dataclass_fields__"):
        for field in fields(wanted):
            close(getattr(found, field.name), getattr(wanted, field.name))
    elif isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            close(found[key], wanted[key])
    elif isinstance(wanted, tuple):
        assert len(found) == len(wanted)
        for mine, other in zip(found, wanted, strict=True):
            close(mine, other)
    else:
        np.testing.assert_array_equal(found, wanted)


def check_total(found, obj):
    """YODA 2 has no total: what is read is the sum of all rows. Set it to the given one, if it agrees."""
    if not hasattr(obj, "sums") or not hasattr(obj, "total"):
        return
    outflows = [obj.outflows] if hasattr(obj, "outflows") else [obj.underflow, obj.overflow]
    rows = np.vstack([obj.sums, *outflows])
    scale = np.abs(rows).sum(axis=0)
    assert np.all(np.abs(found.total - rows.sum(axis=0)) <= 1e-6 * scale)
    found.total[:] = obj.total


def alphabetical(obj):
    """Annotations are written in this order."""
    ordered = sorted(obj.annotations.items())
    obj.annotations.clear()
    obj.annotations.update(ordered)
    return obj


@pytest.mark.parametrize("name", [*BOTH, *ONLY_YODA1])
@few
@given(data=st.data())
def test_yoda1(name, data):
    obj = alphabetical(data.draw({**BOTH, **ONLY_YODA1}[name]))
    (exact,) = yoda.loads(yoda.dumps([obj], digits=17)).values()
    assert yoda.identical(exact, obj)
    (rounded,) = yoda.loads(yoda.dumps([obj])).values()
    close(rounded, obj)


@pytest.mark.parametrize("name", [*BOTH, *ONLY_YODA2])
@few
@given(data=st.data())
def test_yoda2(name, data):
    obj = alphabetical(data.draw({**BOTH, **ONLY_YODA2}[name]))
    (exact,) = yoda.loads(yoda.dumps([obj], version=2, digits=17)).values()
    (rounded,) = yoda.loads(yoda.dumps([obj], version=2)).values()
    check_total(exact, obj)
    check_total(rounded, obj)
    assert yoda.identical(exact, obj)
    close(rounded, obj)


@few
@given(data=st.data())
def test_files_of_many_objects(tmp_path_factory, data):
    kinds = st.one_of(*BOTH.values(), *ONLY_YODA1.values())
    objects = data.draw(st.lists(kinds, max_size=4, unique_by=lambda obj: obj.path))
    path = tmp_path_factory.mktemp("yoda") / "many.yoda.gz"
    yoda.write(path, objects, digits=17)
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    found = yoda.read(path)
    assert list(found) == [obj.path for obj in objects]
    assert all(yoda.identical(found[obj.path], alphabetical(obj)) for obj in objects)
