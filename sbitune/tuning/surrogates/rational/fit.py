"""The fit of a rational function to every bin of a scan; what is predicted is in `surrogate`."""

import numpy as np
from scipy import stats

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.kindconfig import Scale
from sbitune.tuning.surrogates.rational.minimum import Basis, Fitted, State, find_minimum, without_denominator
from sbitune.tuning.surrogates.rational.positive import DELTA, bernstein_rows
from sbitune.tuning.surrogates.rational.surrogate import RationalSurrogate, make_inputs
from sbitune.tuning.surrogates.regression.basis import (
    check_room,
    count_terms,
    evaluate_basis,
    in_blocks,
    list_exponents,
)
from sbitune.tuning.surrogates.regression.inputs import begin_near_zero
from sbitune.tuning.surrogates.regression.lack_of_fit import CHANCE, find_tau
from sbitune.tuning.surrogates.regression.outputs import Targets, make_targets

#: bins are fitted in blocks whose slopes take about this many numbers
BLOCK_NUMBERS = 4_000_000
#: the noise counts as at least this part of a bin's spread: normal equations do not resolve less
_LEAST_NOISE = 1e-6
#: probability that the noise of a polynomial passes for a denominator
_CHANCE = 1e-3
#: added to the unit diagonal of correlations
_ROUNDING = 1e-12
#: fits with a new tau or noise, at most, and the relative change of it at which they end
_REFITS, _SETTLED = 8, 0.05


def fit_rational(
    scan: Scan, numerator: int, denominator: int, scale: Scale = "linear", log_inputs: bool = False
) -> RationalSurrogate:
    """Fit a rational function to every bin of a scan.

    Args:
        scan: the runs.
        numerator: highest total degree of the numerator, 0 or more.
        denominator: that of the denominator, 0 (a polynomial) or more.
        scale: `linear` fits the contents; `log` their logarithm, in bins that are positive in every run.
        log_inputs: whether log(theta) stands in the place of parameters whose box begins close to 0.

    Raises:
        InputError: fewer runs than the orders need, or runs that do not determine the numerator.
        ComputationError: the fit of a bin is not finite.
    """
    logs = begin_near_zero(scan.parameters) & log_inputs
    basis = _make_basis(make_inputs(scan.theta, scan.parameters, logs, np), numerator, denominator)
    terms, n = basis.phi.shape[1] + basis.psi.shape[1], len(scan.parameters)
    check_room(len(scan.bins), terms, f"a rational function of orders {numerator}/{denominator} in {n} parameters")
    targets = make_targets(scan, scale)
    spread = targets.values.std(axis=0)
    unit = np.where(spread > np.finfo(float).eps * np.abs(targets.values).max(axis=0), spread, 0.0)
    shift = np.where(unit > 0, targets.values.mean(axis=0), targets.values[0])
    blocks = in_blocks(len(scan.bins), len(scan.runs) * terms, BLOCK_NUMBERS)
    fits = [_fit_block(basis, *_scaled(targets, shift, unit, block)) for block in blocks]
    c, factor, tau, chi2, ndf = (np.concatenate(parts) for parts in zip(*fits, strict=True))
    n_a = basis.phi.shape[1]
    surrogate = RationalSurrogate(
        parameters=scan.parameters,
        bins=scan.bins,
        log_inputs=logs,
        order=(numerator, denominator),
        numerators=np.ascontiguousarray(c[:, :n_a].T),
        denominators=np.ascontiguousarray(c[:, n_a:].T),
        factor=factor,
        shift=shift,
        unit=unit,
        tau=tau * unit,
        chi2=chi2,
        ndf=ndf,
        log=targets.log,
    )
    _check(surrogate)
    return surrogate


def _check(surrogate: RationalSurrogate) -> None:
    finite = np.isfinite(surrogate.factor).all(axis=(1, 2)) & np.isfinite(surrogate.numerators).all(axis=0)
    finite &= np.isfinite(surrogate.denominators).all(axis=0) & np.isfinite(surrogate.tau)
    proven = surrogate.least_denominators() >= DELTA
    for good, said in ((finite, "its coefficients or their errors are not finite"), (proven, "it may have a pole")):
        if not good.all():
            label = surrogate.bins.take(~good).labels()[0]
            raise ComputationError(f"the rational function of {label} failed: {said}; take another kind of surrogate")


def _make_basis(x: np.ndarray, numerator: int, denominator: int) -> Basis:
    """For runs at x (n_runs, n_parameters)."""
    if min(numerator, denominator) < 0:
        raise InputError(f"orders of a rational function {numerator}, {denominator}: must be 0 or more")
    n_runs, n = x.shape
    terms = count_terms(n, numerator) + count_terms(n, denominator) - 1
    if n_runs <= terms:
        raise InputError(
            f"a rational function of orders {numerator} and {denominator} in {n} parameters needs at least "
            f"{terms + 1} runs, the scan has {n_runs}: add runs or lower the orders",
            code="surrogate-too-few-runs",
        )
    above, below = list_exponents(n, numerator), list_exponents(n, denominator)[1:]
    phi, psi = evaluate_basis(x, above), evaluate_basis(x, list_exponents(n, denominator))[:, 1:]
    singular = np.linalg.svd(phi, compute_uv=False)
    if singular[-1] < 1e-10 * singular[0]:
        raise InputError(
            f"the {n_runs} runs do not determine a numerator of order {numerator}: too few different values of a "
            "parameter, or runs on a line; spread the runs over the box or lower the order",
            code="surrogate-undetermined",
        )
    outside = (np.abs(x) > 1).any(axis=1)
    rows = np.concatenate([bernstein_rows(n, denominator), psi[outside]])
    degrees = np.concatenate([above.sum(axis=1), -below.sum(axis=1)])
    groups = tuple(np.flatnonzero(degrees == degree) for degree in np.unique(degrees) if degree != 0)
    return Basis(phi, psi, rows, groups)


def _scaled(targets: Targets, shift: np.ndarray, unit: np.ndarray, block: slice) -> tuple[np.ndarray, ...]:
    """Values and noise of some bins in units of their spread, and (n,) whether their noise is known."""
    safe = np.where(unit > 0, unit, 1.0)[block]
    known = (targets.errors.max(axis=0) > 0)[block]
    values = np.where(unit[block] > 0, targets.values[:, block] - shift[block], 0.0) / safe
    return values, np.where(known, np.maximum(targets.errors[:, block] / safe, _LEAST_NOISE), 1.0), known


def _fit_block(basis: Basis, values: np.ndarray, noise: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, ...]:
    """Coefficients (n_bins, n_terms), factor, tau, chi2 and ndf of some bins, in units of their spread."""
    straight = without_denominator(basis)
    full, plain = (find_minimum(one, values, noise) for one in (basis, straight))
    needed = _need_denominators(basis, full, plain, noise, known)
    n_a, n = basis.phi.shape[1], basis.phi.shape[1] + basis.psi.shape[1]
    found = [np.zeros((len(known), *shape)) for shape in ((n,), (n, n), (), (), ())]
    for one, fitted, chosen in ((basis, full, needed), (straight, plain, ~needed)):
        mine = np.flatnonzero(chosen)
        if not len(mine):
            continue
        parts = _widen(one, values[:, mine], noise[:, mine], known[mine], _take(fitted, mine))
        size = n if one is basis else n_a
        found[0][mine, :size], found[1][mine, :size, :size] = parts[:2]
        for whole, part in zip(found[2:], parts[2:], strict=True):
            whole[mine] = part
    return tuple(found)


def _need_denominators(basis: Basis, full: Fitted, plain: Fitted, noise: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(n_bins,) whether the runs are so much more probable with a denominator that it is not chance.

    A pole that noise has put near a corner would make large errors there. -2 log of the probability of the runs, all
    coefficients integrated over, is chi2 + penalty + occam + constant (see `minimum`); with n more variances it
    falls by chance as chi2 of n degrees of freedom at most. Where chi2 exceeds ndf it is taken in units of chi2/ndf.
    """
    chi2 = np.sum((full.residuals / noise) ** 2, axis=0)
    left = chi2 / (len(noise) - full.used)
    left = np.where(known, np.maximum(left, 1.0), np.maximum(left, _LEAST_NOISE**2))
    before = np.sum((plain.residuals / noise) ** 2, axis=0)
    fall = (before + plain.penalty - chi2 - full.penalty) / left + plain.occam - full.occam
    more = len(basis.groups) - len(without_denominator(basis).groups)
    return np.asarray(fall > stats.chi2.isf(_CHANCE, max(1, more)))


def _widen(
    basis: Basis, values: np.ndarray, noise: np.ndarray, known: np.ndarray, fitted: Fitted
) -> tuple[np.ndarray, ...]:
    """Coefficients, factor, tau, chi2 and ndf of bins that were fitted with the noise that they quote."""
    chi2, ndf = np.sum((fitted.residuals / noise) ** 2, axis=0), len(values) - fitted.used
    tau = np.zeros(values.shape[1])
    # what is not known of the noise the residuals tell: its scale where a bin quotes none, tau where they are too wide
    doubtful = np.flatnonzero((chi2 > ndf + CHANCE * np.sqrt(2 * ndf)) | ~known)
    if len(doubtful):
        start = _take(fitted, doubtful)
        arguments = values[:, doubtful], noise[:, doubtful], known[doubtful]
        part, noise[:, doubtful], tau[doubtful] = _find_noise(basis, *arguments, start)
        fitted = _put(fitted, part, doubtful)
    ndf = len(values) - fitted.used
    left = np.sum(fitted.residuals**2 / (noise**2 + tau**2), axis=0) / ndf
    inflation = np.where(known, 1.0, left)
    factor = _root(fitted.covariance) * np.sqrt(inflation)[:, None, None]
    return fitted.state.c, factor, tau, np.where(known, chi2, ndf), ndf


def _find_noise(
    basis: Basis, values: np.ndarray, noise: np.ndarray, known: np.ndarray, fitted: Fitted
) -> tuple[Fitted, np.ndarray, np.ndarray]:
    """Fit bins again until the residuals agree with the noise, and tau where that is known."""
    tau = np.zeros(len(known))
    for _ in range(_REFITS):
        before, ndf = np.hypot(noise, tau), len(values) - fitted.used
        excess = find_tau(fitted.residuals, noise, ndf)
        guessed = np.sqrt(np.sum(fitted.residuals**2, axis=0) / ndf)
        tau = np.where(known, excess, 0.0)
        noise = np.where(known, noise, np.maximum(guessed, _LEAST_NOISE))
        if np.allclose(np.hypot(noise, tau), before, rtol=_SETTLED, atol=0):
            break
        fitted = find_minimum(basis, values, np.hypot(noise, tau), fitted.state)
    return fitted, noise, tau


def _root(covariance: np.ndarray) -> np.ndarray:
    """F with F F^T = C; not finite where C is not. Rounding may take C of nearly equal functions below zero."""
    good = np.asarray(np.isfinite(covariance).all(axis=(1, 2)))
    c = np.where(good[:, None, None], covariance, np.eye(covariance.shape[1]))
    scale = np.sqrt(np.einsum("btt->bt", c))
    unit = c / (scale[:, :, None] * scale[:, None, :]) + _ROUNDING * np.eye(c.shape[1])
    return np.where(good[:, None, None], np.linalg.cholesky(unit) * scale[:, :, None], np.nan)


def _take(fitted: Fitted, chosen: np.ndarray) -> Fitted:
    (c, v), covariance, residuals, *rest = fitted
    state = State(c[chosen], v[chosen])
    return Fitted(state, covariance[chosen], residuals[:, chosen], *(array[chosen] for array in rest))


def _put(whole: Fitted, part: Fitted, chosen: np.ndarray) -> Fitted:
    (c, v), covariance, residuals, *rest = whole
    c[chosen], v[chosen] = part.state
    covariance[chosen], residuals[:, chosen] = part.covariance, part.residuals
    for array, new in zip(rest, part[3:], strict=True):
        array[chosen] = new
    return whole
