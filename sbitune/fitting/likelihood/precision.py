"""The one context in which fits compute: double precision, and no more threads than matrices are worth.

Differences of -2 log L of 1e-6 count in a fit, of numbers as large as 1e4: single precision has none of them. Importing
sbitune changes nothing for others; what needs the context asks for it by `require_double_precision`.
"""

import contextlib
from collections.abc import Iterator

import jax
from threadpoolctl import threadpool_limits


@contextlib.contextmanager
def double_precision(small: bool = True) -> Iterator[None]:
    """Compute in float64, in this thread; with `small` matrices LAPACK keeps to one thread: threads that wait for each
    other cost more.
    """
    with jax.enable_x64(True), threadpool_limits(1) if small else contextlib.nullcontext():
        yield


def require_double_precision() -> None:
    """Raise `RuntimeError` outside the context."""
    if not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        raise RuntimeError("fits compute in double precision: use this inside `double_precision()`")
