"""All methods by name."""

from typing import NamedTuple

from sbitune.data.errors import InputError
from sbitune.data.text.names import nearest, shorten
from sbitune.ratios.posteriors.config import DensityConfig, RatioConfig
from sbitune.ratios.posteriors.methods.flows import LikelihoodMethod, PosteriorMethod
from sbitune.ratios.posteriors.methods.method import Method
from sbitune.ratios.posteriors.methods.ratios import RatioMethod


class Kind(NamedTuple):
    """A method, and the record of its settings."""

    method: Method
    config: type[DensityConfig] | type[RatioConfig]


KINDS: dict[str, Kind] = {
    "npe": Kind(PosteriorMethod(), DensityConfig),
    "nle": Kind(LikelihoodMethod(), DensityConfig),
    "nre": Kind(RatioMethod(), RatioConfig),
}


def find_kind(name: str) -> Kind:
    """Return the method of that name. Raises `InputError` for another name."""
    if name not in KINDS:
        raise InputError(f"no method is called {shorten(repr(name))}{nearest(str(name), KINDS)}")
    return KINDS[name]
