r"""Learning the few combinations of bins that respond to the parameters, instead of every bin alone.

A scan of p parameters moves hundreds of bins along few directions; in all others there is only Monte Carlo noise, which
is shared between bins, as the same events fill many of them. Were every bin learnt alone, each would bring noise of
its own into its slopes, and a fit would take it for information and pull the parameters to the middle of the box.

The values (on the scale of `outputs`) are whitened with the covariance S R S of their Monte Carlo errors, so that the
noise is 1 and independent. With Q an orthonormal basis of the polynomials of low order over the runs, the singular
values s_c of Q^T w tell signal from noise: those of pure noise stay below sqrt(n_bins) + sqrt(n_terms) (A. Izenman,
J. Multivariate Anal. 5 (1975) 248, reduced-rank regression; the edge is that of Marchenko and Pastur). The right
singular vectors v_c above the edge are the components y_c = v_c . w: independent, with unit noise, to be learnt one by
one. In all other directions the prediction is the mean over the runs.

Neither the mean nor the directions are exact. The mean of n runs has the variance 1/n in every direction. A direction
was chosen for its large singular value s, which it owes in part to the noise. Where the signal is theta, of n_bins = B
and n_terms = k, the noise turns the direction by an angle alpha and lengthens what is seen along it (F.
Benaych-Georges, R. Nadakuditi, J. Multivariate Anal. 111 (2012) 120, section 3.1):

    s^2 = (theta^2 + B)(theta^2 + k) / theta^2,    sin^2 alpha = B (k + theta^2) / (theta^2 (theta^2 + B)).

So what Q says of y_c is multiplied by theta cos(alpha) / s, without which slopes are too steep and parameters are
pulled to the middle; and the prediction lacks y tan(alpha) in an unknown one of the B - 1 other directions. In each
direction that is no component its variance is therefore, in units of the noise of a run,

    h(theta) = 1/n + sum_c y_c(theta)^2 tan^2(alpha_c) / (B - 1),

and bins have the covariance h (S R S - L^T L) besides that of the components, with L their loadings. Averaged over the
runs h is (1 + n_components)/n for strong signals, that of a regression on 1 and y; in the middle of the box it is less
than half of that. A likelihood whose h rises towards the faces of the box would be pulled there where data are not
described, as any misfit is likelier where errors are large: h is a number in every fit, its average over the runs at
first, and what it is at the tune when that is known (`near`).

In a scan with much statistics more directions hold signal than can be found in this way. What is left of every bin is
tested for signal in the same polynomials; bins that have some are learnt alone, on top. What then remains of the others
beyond their noise counts as an error of their own.
"""

import contextlib
from typing import NamedTuple

import numpy as np
from scipy import stats

from sbitune.data.bins import Bins
from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.regression.basis import count_terms, evaluate_basis, list_exponents
from sbitune.tuning.surrogates.regression.inputs import begin_near_zero, make_features
from sbitune.tuning.surrogates.regression.noise import loudness
from sbitune.tuning.surrogates.regression.outputs import Scale, Targets, make_targets

#: components are looked for among polynomials of this order at most, with so many runs for each of their terms
_HIGHEST_ORDER, _RUNS_PER_TERM = 6, 3
#: and then among powers of single parameters up to this one, with as many runs for each
_HIGHEST_POWER = 10
#: functions that are smaller after the others are taken off are none of their own
_SMALLEST = 1e-8
#: square of the cosine to the true direction, below which a direction is noise
_LEAST_COSINE = 0.05
#: of a correlation's greatest eigenvalue, what may be missing of the least by rounding
_ROUNDING = 1e-6
#: singular values must exceed the edge of the noise by this factor
_ABOVE = 1.1
#: probability that what is left of a bin without signal passes for signal
_CHANCE = 1e-4
#: of a bin's noise stays with it, if the components take nearly all of it
_LEAST_SHARE = 1e-3
#: a bin's variance exceeds its noise by more than chance if it does so by this many standard deviations
_TOLERATED = 3.0


class Components(NamedTuple):
    """How components become bins: fitted scale = centre + y . loadings + what is left of the bin."""

    centre: np.ndarray  #: (n_bins,)
    loadings: np.ndarray  #: (n_components, n_bins)
    excess: np.ndarray  #: (n_bins,) standard deviation of what nothing describes
    common: np.ndarray  #: (n_bins,) the same of directions with too little signal to be seen; shared as the noise is
    log: np.ndarray  #: (n_bins,) True where the fitted scale is the logarithm
    noise: np.ndarray  #: (n_bins,) standard deviation of the noise of a typical run; 0 where what is left is learnt
    rest: np.ndarray  #: () variance in a direction that is no component, in units of `noise` squared: h above
    least: np.ndarray  #: () that where all components are zero
    turned: np.ndarray  #: (n_components,) tan^2(alpha) / (B - 1), by which their squares add to it


class Reduced(NamedTuple):
    """A scan taken apart."""

    components: Components
    scan: Scan  #: of the components in place of the bins, with the noise of every run as its errors
    left: Scan | None  #: what is left of the bins that still hold signal
    left_bins: np.ndarray  #: (n,) which these are
    sigma: np.ndarray  #: (n_bins,) noise of the bins on the fitted scale, typical of the runs


def make_components(scan: Scan, scale: Scale, correlation: np.ndarray | None, every: bool = False) -> Reduced:
    """Find the components of a scan.

    Args:
        scan: the runs.
        scale: see `regression.outputs`.
        correlation: (n_bins, n_bins) of Monte Carlo errors; None takes them to be independent.
        every: whether to keep all directions: one for each bin, which differ from the bins as far as these are
            correlated, and have independent noise.

    Raises:
        InputError: for fewer than two runs, or a correlation that cannot be one.
    """
    if len(scan.runs) < 2:
        raise InputError(f"too few runs to learn from: {len(scan.runs)}; add runs", code="surrogate-too-few-runs")
    targets = make_targets(scan, scale)
    centre, sigma, profile = _separate(targets)
    noisy = np.flatnonzero(sigma > 0)
    triangle = None if correlation is None else _root(correlation[np.ix_(noisy, noisy)], every)
    white = (targets.values - centre)[:, noisy] / sigma[noisy]
    if triangle is not None:
        white = np.linalg.solve(triangle, white.T).T
    bases = _bases(scan)
    found = (
        _every_direction(white) if every else _signal_directions(white / profile[:, None], bases, len(scan.parameters))
    )
    directions = found.directions
    y = white @ directions.T
    power = np.maximum(np.mean((y / profile[:, None] - found.chance) ** 2, axis=0) - 1, 0.0)
    loadings = np.zeros((len(directions), len(sigma)))
    loadings[:, noisy] = (directions if triangle is None else directions @ triangle.T) * sigma[noisy]
    # the components have taken their share of a bin's noise with them
    share = np.sum(loadings**2, axis=0)
    noise = np.outer(profile, np.sqrt(np.maximum(sigma**2 - share, _LEAST_SHARE * sigma**2)))
    left = targets.values - centre - y @ loadings
    telling = _hold_signal(left, noise, bases) & (not every)
    excess = np.where(telling | every, 0.0, _excess(left, noise))
    return Reduced(
        Components(
            centre,
            loadings,
            excess,
            np.zeros_like(sigma),
            targets.log,
            np.where(telling | every, 0.0, sigma),
            np.array(1 / len(profile) + power @ found.turned),
            np.array(1 / len(profile)),
            found.turned,
        ),
        _as_scan(scan, y - found.chance * profile[:, None], np.repeat(profile[:, None], y.shape[1], axis=1)),
        _as_scan(scan, left[:, telling], noise[:, telling]) if telling.any() else None,
        np.flatnonzero(telling),
        sigma,
    )


def _root(correlation: np.ndarray, symmetric: bool) -> np.ndarray:
    """A matrix whose product with its transpose is the correlation; the symmetric one stays nearest to single bins, and
    exists where some bins move as one (the two of a normalised histogram).

    Raises `InputError` if some combination of bins had a negative variance.
    """
    if not symmetric:
        with contextlib.suppress(np.linalg.LinAlgError):
            return np.linalg.cholesky(correlation)
    values, vectors = np.linalg.eigh(correlation)
    if values.min() < -_ROUNDING * values.max():
        raise InputError(
            "scan: the correlation of its Monte Carlo errors cannot be one: some combination of bins would have a "
            "negative variance; measure it again, or leave it out"
        )
    return (vectors * np.sqrt(np.maximum(values, _SMALLEST * values.max()))) @ vectors.T


def _every_direction(white: np.ndarray) -> "_Directions":
    n_runs, n = white.shape
    return _Directions(np.eye(n), np.zeros((n_runs, n)), np.zeros(n))


def _as_scan(scan: Scan, values: np.ndarray, errors: np.ndarray) -> Scan:
    place = np.arange(values.shape[1])
    bins = Bins(np.full(len(place), "/components"), place, place.astype(float), place + 1.0)
    return Scan(scan.parameters, scan.theta, values, errors, bins, scan.runs)


def _separate(targets: Targets) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre and noise (n_bins,) of every bin, and the noise of every run relative to them (n_runs,).

    A bin that quotes no errors but changes gets a thousandth of its spread: it is to be reproduced.
    """
    profile = loudness(targets.errors)
    weight = 1 / profile**2
    centre = (weight @ targets.values) / weight.sum()
    variance = np.mean((targets.errors / profile[:, None]) ** 2, axis=0)
    spread = np.sqrt(weight @ (targets.values - centre) ** 2 / weight.sum())
    return centre, np.where(variance > 0, np.sqrt(variance), 1e-3 * spread), profile


def _bases(scan: Scan) -> list[np.ndarray]:
    """Orthonormal functions (n_runs, n_terms) over the runs, without the constant: polynomials of order 1, 2, ..., then
    higher powers of single parameters without products, which follow what is steep at one end of a range.
    """
    features = make_features(scan.theta, scan.parameters, begin_near_zero(scan.parameters), np)
    n_features, most = features.shape[1], len(features) // _RUNS_PER_TERM
    bases, last = [], 1
    for order in range(1, _HIGHEST_ORDER + 1):
        if order > 1 and count_terms(n_features, order) > most:
            break
        last = order
        bases.append(_orthonormal(features, list_exponents(n_features, order)))
    highest = min(_HIGHEST_POWER, (most - 1) // n_features)
    if highest > last:
        powers = [order * np.eye(n_features, dtype=int) for order in range(highest + 1)]
        bases.append(_orthonormal(features, np.concatenate([powers[0][:1], *powers[1:]])))
    return bases


def _orthonormal(features: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """Functions of these degrees; those that the runs do not tell from others (powers on a grid) are left out."""
    design = evaluate_basis(features, exponents)[:, 1 : len(features)]
    design = design - design.mean(axis=0)
    basis, singular, _ = np.linalg.svd(design, full_matrices=False)
    return basis[:, singular > _SMALLEST * singular.max(initial=1e-300)]


class _Directions(NamedTuple):
    """Directions in which whitened values hold signal."""

    directions: np.ndarray  #: (n_components, n_bins) orthonormal
    chance: np.ndarray  #: (n_runs, n_components) part of y that is owed to the noise they were chosen from
    turned: np.ndarray  #: (n_components,) tan^2(alpha) / (B - 1)


def _signal_directions(white: np.ndarray, bases: list[np.ndarray], least: int) -> _Directions:
    """The directions in which whitened values (n_runs, n_bins) hold signal; at least `least`, one for each parameter.

    Straight lines first: the fewer terms, the lower the edge.
    """
    n_bins = white.shape[1]
    found, chance, turned = np.zeros((0, n_bins)), np.zeros((len(white), 0)), np.zeros(0)
    for basis in bases:
        left = white - white @ found.T @ found
        signal = basis.T @ left
        _, singular, directions = np.linalg.svd(signal, full_matrices=False)
        n, k = n_bins - len(found), basis.shape[1]
        new = np.flatnonzero(singular > _ABOVE * (np.sqrt(n) + np.sqrt(k)))
        if basis is bases[0]:  # a parameter that no direction shows at all would make fits singular
            new = np.arange(max(len(new), min(least, len(singular))))
        # rounding: directions of later turns are orthogonal to those before only nearly
        found = np.linalg.qr(np.concatenate([found, directions[new]]).T)[0].T
        kept, tangent = _without_chance(singular[new], n, k)
        along = signal @ found[len(found) - len(new) :].T
        chance = np.concatenate([chance, basis @ (along * (1 - kept / np.maximum(singular[new], 1e-300)))], axis=1)
        turned = np.concatenate([turned, tangent / max(1, n - 1)])
    return _Directions(found, chance, turned)


def _without_chance(singular: np.ndarray, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Signal along a direction that was found, theta cos(alpha), and tan^2(alpha), for singular values (m,) of n bins
    and k terms. Below the edge of the noise a direction says nothing: it keeps a signal of 1, with which the error of a
    parameter that shows in no other direction is about as large as its range.
    """
    above = np.maximum(singular**2 - n - k, 2 * np.sqrt(n * k))
    square = (above + np.sqrt(np.maximum(above**2 - 4 * n * k, 0.0))) / 2
    cosine = np.clip(1 - n * (k + square) / (square * (square + n)), 0.0, 1.0)
    kept = np.maximum(np.sqrt(square * cosine), 1.0)
    known = cosine > _LEAST_COSINE
    return np.minimum(kept, singular), np.divide(1 - cosine, cosine, out=np.zeros(len(cosine)), where=known)


def _hold_signal(left: np.ndarray, noise: np.ndarray, bases: list[np.ndarray]) -> np.ndarray:
    """(n_bins,) True where what is left of a bin follows the polynomials beyond chance."""
    unit = left / np.where(noise > 0, noise, 1.0)
    telling = np.zeros(left.shape[1], bool)
    for basis in bases:
        power = np.sum((basis.T @ unit) ** 2, axis=0)
        telling |= power > stats.chi2.isf(_CHANCE, basis.shape[1])
    return telling & (noise > 0).all(axis=0)


def _excess(left: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """(n_bins,) standard deviation of what is left of each bin beyond its noise, 0 where that could be chance."""
    # runs with much noise tell little of it: the variance of a squared residual is 2 noise^4
    weight = 1 / np.where(noise > 0, noise, 1.0) ** 4
    total = weight.sum(axis=0)
    more = np.sum(weight * (left**2 - noise**2), axis=0) / total
    chance = np.where((noise > 0).all(axis=0), _TOLERATED * np.sqrt(2 / total), 0.0)
    return np.sqrt(np.where(more > chance, more, 0.0))
