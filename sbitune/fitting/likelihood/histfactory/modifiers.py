"""What changes the bins of a sample: the modifiers of HistFactory (K. Cranmer et al., CERN-OPEN-2012-016).

`NormFactor`, `Lumi`, `ShapeFactor`, `ShapeSys` and `StatError` multiply by parameters, one for all bins or, `NAME[0]`,
`NAME[1]` ..., one for each; `NormSys` multiplies and `HistoSys` adds what lies between an up and a down sample.
"""

from dataclasses import dataclass

import numpy as np

from sbitune.data.errors import InputError

_SAME = "give the sample of the other side; if there is one only, mirror it: twice the nominal less the other"


@dataclass(frozen=True, eq=False)
class NormFactor:
    """All bins are multiplied by a parameter that nothing else constrains: the strength of a signal."""

    name: str


@dataclass(frozen=True, eq=False)
class Lumi:
    """All bins are multiplied by the luminosity, whose measurement is a constraint."""

    name: str = "lumi"


@dataclass(frozen=True, eq=False)
class NormSys:
    """All bins are multiplied by `up` where the parameter is 1, and by `down` where it is -1.

    Raises `InputError` for factors that are not above 0, or equal.
    """

    name: str
    up: float
    down: float

    def __post_init__(self) -> None:
        if not all(np.isfinite(x) and x > 0 for x in (self.up, self.down)):
            raise InputError(
                f"normsys {self.name}: factors must be numbers above 0, not {self.up:g} up and {self.down:g} down; a "
                "sample that vanishes needs a histosys",
                code="modifier-factor",
            )
        if self.up == self.down:
            raise InputError(
                f"normsys {self.name}: up and down are the same, {self.up:g}: {_SAME}", code="modifier-up-is-down"
            )


@dataclass(frozen=True, eq=False)
class HistoSys:
    """The bins are `up` where the parameter is 1, and `down` where it is -1.

    Raises `InputError` for bins that are no numbers, or equal.
    """

    name: str
    up: np.ndarray  #: (n_bins,)
    down: np.ndarray  #: (n_bins,)

    def __post_init__(self) -> None:
        up, down = bins_of(f"histosys {self.name}: up", self.up), bins_of(f"histosys {self.name}: down", self.down)
        if len(up) != len(down):
            raise InputError(f"histosys {self.name}: {len(up)} bins up and {len(down)} down", code="modifier-bins")
        if np.array_equal(up, down):
            raise InputError(f"histosys {self.name}: up and down are the same: {_SAME}", code="modifier-up-is-down")


@dataclass(frozen=True, eq=False)
class ShapeFactor:
    """Every bin is multiplied by a parameter of its own that nothing else constrains."""

    name: str


@dataclass(frozen=True, eq=False)
class ShapeSys:
    """Every bin is multiplied by a parameter of its own, which a count elsewhere measures: one of (nominal / error)^2
    events. Bins without content or error stay.
    """

    name: str
    errors: np.ndarray  #: (n_bins,) of the sample's bins

    def __post_init__(self) -> None:
        _need_errors(f"shapesys {self.name}", self.errors)


@dataclass(frozen=True, eq=False)
class StatError:
    """Every bin of all samples of a channel that have it is multiplied by one parameter: their errors of simulation,
    added in quadrature, are its Gaussian error.
    """

    name: str
    errors: np.ndarray  #: (n_bins,) of this sample's bins

    def __post_init__(self) -> None:
        _need_errors(f"staterror {self.name}", self.errors)


Modifier = NormFactor | Lumi | NormSys | HistoSys | ShapeFactor | ShapeSys | StatError
#: what multiplies by one parameter for all bins, and by one for each
SCALARS, VECTORS = (NormFactor, Lumi), (ShapeFactor, ShapeSys, StatError)


def bins_of(what: str, values: object) -> np.ndarray:
    """(n_bins,) finite numbers. Raises `InputError` for anything else."""
    try:
        bins = np.asarray(values, float)
    except (TypeError, ValueError):
        bins = np.array(np.nan)
    if bins.ndim != 1 or not len(bins) or not np.isfinite(bins).all():
        raise InputError(f"{what}: expected finite numbers, one for each bin", code="modifier-bins")
    return bins


def _need_errors(what: str, errors: np.ndarray) -> None:
    if np.any(bins_of(f"{what}: errors", errors) < 0):
        raise InputError(f"{what}: bin {int(np.argmin(errors))} has a negative error", code="modifier-bins")


def in_bin(name: str, i: int) -> str:
    """The parameter of a bin."""
    return f"{name}[{i}]"
