"""Where in parameter space the runs are made."""

import itertools
from collections.abc import Sequence

import numpy as np
from scipy.stats import qmc

from sbitune.data.errors import InputError
from sbitune.data.sobol import sobol_points
from sbitune.data.text.expressions import compile_formula
from sbitune.data.text.numbers import quoted


def unit_points(design: str, runs: int, dimensions: int, seed: int) -> np.ndarray:
    """(runs, dimensions) points in the unit cube.

    `sobol` is scrambled (Owen) and, like `uniform`, keeps its first points when `runs` grows. `latin` is a Latin
    hypercube. `grid` has the same number of points on every axis, the ends included.

    Raises:
        InputError: for an unknown design, or a grid whose number of runs is not a power.
    """
    if design == "sobol":
        return sobol_points(runs, dimensions, seed)[:runs]
    if design == "latin":
        return qmc.LatinHypercube(dimensions, rng=seed).random(runs)
    if design == "uniform":
        return np.random.default_rng(seed).random((runs, dimensions))
    if design == "grid":
        return _grid(runs, dimensions)
    raise InputError(f"scan.design: {design!r} is unknown; choose sobol, latin, uniform or grid")


def _grid(runs: int, dimensions: int) -> np.ndarray:
    side = round(runs ** (1 / dimensions))
    if side**dimensions != runs or side < 2:
        fitting = max(side, 2) ** dimensions
        raise InputError(
            f"scan.runs: a grid in {dimensions} parameters needs n^{dimensions} runs; {runs} is none, {fitting} is",
            code="design-grid-runs",
        )
    return np.array(list(itertools.product(np.linspace(0, 1, side), repeat=dimensions)))


def stretch(u: np.ndarray, low: float, high: float, bias: str | None = None, where: str = "bias") -> np.ndarray:
    """Map points of [0, 1] to [low, high], evenly in the formula `bias` of x if one is given.

    Raises:
        InputError: naming `where`, if the formula is not finite and monotonic in the range.
    """
    if bias is None:
        return low + u * (high - low)
    formula = compile_formula(bias, where)
    x = np.linspace(low, high, 4097)
    with np.errstate(all="ignore"):
        f = formula(x)
    steps = np.diff(f)
    if not (np.isfinite(f).all() and (np.all(steps > 0) or np.all(steps < 0))):
        raise InputError(
            f"{where}: {quoted(bias)} is not finite and monotonic between {low:g} and {high:g}", code="design-bad-bias"
        )
    wanted = f[0] + u * (f[-1] - f[0])
    order = slice(None) if f[-1] > f[0] else slice(None, None, -1)
    return np.clip(np.interp(wanted, f[order], x[order]), low, high)


def run_seed(seed: int, run: int, stream: int = 0) -> int:
    """Seed of one run in 1..900,000,000 (Pythia's range), so that any run can be made again alone.

    `stream` separates uses with the same card seed: 0 the scan, others validation.
    """
    word = np.random.SeedSequence([seed, stream, run]).generate_state(1, np.uint64)[0]
    return int(word % np.uint64(900_000_000)) + 1


def run_names(runs: int) -> Sequence[str]:
    """Directory names `0000`, `0001`, ... as Professor has them."""
    return [f"{run:04d}" for run in range(runs)]
