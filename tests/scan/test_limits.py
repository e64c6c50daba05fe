"""Limits files: ranges and fixed values."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sbitune.data.errors import InputError
from sbitune.data.formats.parameters import read_limits, write_limits

finite = st.floats(allow_nan=False, allow_infinity=False)
names = st.from_regex("[abAB:_][abAB:_09]{0,7}", fullmatch=True)
ranges = st.tuples(finite, finite).filter(lambda pair: pair[0] < pair[1])


@given(st.dictionaries(names, ranges | finite, max_size=5))
@settings(deadline=None)
def test_written_limits_come_back(tmp_path_factory, table):
    path = tmp_path_factory.mktemp("limits") / "limits"
    free = {name: entry for name, entry in table.items() if isinstance(entry, tuple)}
    fixed = {name: entry for name, entry in table.items() if not isinstance(entry, tuple)}
    write_limits(path, free, fixed)
    assert read_limits(path) == (free, fixed)


def test_faults(tmp_path):
    path = tmp_path / "limits"
    with pytest.raises(InputError, match="a has limits and is fixed"):
        write_limits(path, {"a": (0, 1)}, {"a": 0.5})
    with pytest.raises(InputError, match="the limits of a, 1 and 0, are not in order"):
        write_limits(path, {"a": (1, 0)})
    for name, value in (("a b", 1.0), ("#a", 1.0), ("a", float("inf"))):
        with pytest.raises(InputError, match="cannot be written"):
            write_limits(path, {}, {name: value})
    assert not path.exists()
    path.write_text("a 0 1\na 0.5\n")
    with pytest.raises(InputError, match=r"limits:2: parameter a is given twice"):
        read_limits(path)
