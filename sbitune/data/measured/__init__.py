"""Measured data that come with the package: one YODA file of scatters per analysis, each with its citation."""

from functools import cache
from importlib import resources

from sbitune.data import yoda
from sbitune.data.errors import InputError
from sbitune.data.text.numbers import quoted


@cache
def names() -> tuple[str, ...]:
    """Return the names of the analyses whose data are here, sorted."""
    files = (entry.name for entry in resources.files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".yoda") for name in files if name.endswith(".yoda")))


def load(name: str) -> dict[str, yoda.Scatter]:
    """Return the measured points of an analysis by path, "/REF/NAME/d01-x01-y01"."""
    return dict(_load(name))


def citation(name: str) -> str:
    """Return the experiment and the paper that an analysis' data come from."""
    return next(iter(_load(name).values())).annotations["Citation"]


@cache
def _load(name: str) -> dict[str, yoda.Scatter]:
    if name not in names():
        raise InputError(f"there are no measured data for {quoted(name)}. Available: {', '.join(names())}")
    with resources.as_file(resources.files(__name__) / f"{name}.yoda") as path:
        return {key: obj for key, obj in yoda.read(path).items() if isinstance(obj, yoda.Scatter)}
