"""Errors by what is stable of them: the code of the fault, its place and the offending value."""

import contextlib
from collections.abc import Iterator

import pytest

from sbitune.data.errors import InputError


def assert_fault(error: BaseException, code: str, *parts: str) -> None:
    """Check that an error is a fault of the kind, and that its message has every part: place, value."""
    assert isinstance(error, InputError)
    assert error.code == code, error
    for part in parts:
        assert part in str(error)


@contextlib.contextmanager
def refused(code: str, *parts: str) -> Iterator[None]:
    """Expect an `InputError` with the code, and every part in its message."""
    with pytest.raises(InputError) as caught:
        yield
    assert_fault(caught.value, code, *parts)
