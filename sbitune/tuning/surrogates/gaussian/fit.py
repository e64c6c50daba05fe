"""The fit of Gaussian processes to every bin of a scan; what is predicted is in `surrogate`."""

import numpy as np
from scipy.cluster.vq import kmeans2

from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.tuning.surrogates.forms.kernel import Form
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.gaussian.kernels import Runs, decompose, fit_kernel, round_form, score_bins
from sbitune.tuning.surrogates.gaussian.marginal import best_scales
from sbitune.tuning.surrogates.gaussian.surrogate import GaussianSurrogate, Posterior
from sbitune.tuning.surrogates.kindconfig import Scale
from sbitune.tuning.surrogates.regression.inputs import begin_near_zero, make_features
from sbitune.tuning.surrogates.regression.noise import loudness
from sbitune.tuning.surrogates.regression.outputs import make_targets

#: eigenvalues below this part of the largest are rounding errors
_SMALLEST = 1e-11
#: bins that a group's lengths are learnt from, at most: they have that many numbers in common
_BINS_OF_A_GROUP = 96
#: turns of learning the kernels and dealing the bins anew: iterations, and whether the kernels' axes are free
_TURNS = ((12, False), (12, True), (25, True))
#: to start from, in half widths of the box
_FIRST_LENGTH = 2.0
#: directions in which the signal of every bin is below this part of its noise's variance teach nothing
_NEGLIGIBLE = 1e-4


def fit_gaussian(
    scan: Scan, config: GaussianConfig, seed: int, scale: Scale = "log", like: GaussianSurrogate | None = None
) -> GaussianSurrogate:
    """Fit Gaussian processes to every bin of a scan.

    Args:
        scan: the runs.
        config: see `GaussianConfig`.
        scale: see `regression.outputs`.
        seed: chooses runs and bins that lengths are learnt from where there are many, and the first groups.
        like: begin with the kernels of this one, of nearly the same scan: that takes half the time.

    Raises:
        InputError: fewer runs than inputs + 2.
    """
    log_inputs = begin_near_zero(scan.parameters) & config.log_inputs
    x = make_features(scan.theta, scan.parameters, log_inputs, np)
    if len(scan.runs) < x.shape[1] + 2:
        raise InputError(
            f"{len(scan.runs)} runs are too few for Gaussian processes of {x.shape[1]} inputs: add runs",
            code="surrogate-too-few-runs",
        )
    targets = make_targets(scan, scale)
    loud = loudness(targets.errors)
    weight = (1 / loud**2) / np.sum(1 / loud**2)
    centre = weight @ targets.values
    spread = np.sqrt(weight @ (targets.values - centre) ** 2)
    changes = np.ptp(targets.values, axis=0) > 0
    unit = np.where(changes, spread, 1.0)
    runs = Runs(x, (targets.values - centre) / unit / loud[:, None], loud)
    noise = np.mean((targets.errors / loud[:, None]) ** 2, axis=0) / unit**2
    begin = None if like is None else like.posterior.forms
    some = runs._replace(y=runs.y[:, changes])
    group, forms = _find_groups(some, noise[changes], config, np.random.default_rng(seed), begin)
    every = np.zeros(len(changes), int)
    every[changes] = group
    parts = _condition(runs, noise, every, forms)
    shift = np.where(changes, centre, targets.values[0])
    shapes = np.array([f.metric for f in forms]), np.array([f.line for f in forms])
    posterior = Posterior(every, *shapes, *parts, shift=shift, scale=np.where(changes, spread, 0.0), log=targets.log)
    return GaussianSurrogate(scan.parameters, scan.bins, log_inputs, x, posterior)


def _find_groups(
    runs: Runs,
    noise: np.ndarray,
    config: GaussianConfig,
    random: np.random.Generator,
    begin: list[Form] | None,
) -> tuple[np.ndarray, list[Form]]:
    """Deal the bins to groups and find the kernel of each: (n_bins,) group, and the kernels."""
    if not runs.y.shape[1]:  # no bin changes
        return np.zeros(0, int), [round_form(runs.x.shape[1], _FIRST_LENGTH)]
    rows = np.sort(random.permutation(len(runs.x))[: config.runs_for_lengths])
    some = Runs(runs.x[rows], runs.y[rows], runs.loud[rows])
    if begin is None:
        forms = [round_form(runs.x.shape[1], _FIRST_LENGTH)] * config.groups
        group, turns = _first_groups(runs, config.groups, random), _TURNS
    else:
        forms, turns = list(begin), _TURNS[-1:]
        group = _deal(some, noise, forms, np.arange(len(forms)))
    for iterations, tilted in turns:
        for g in np.unique(group):
            mine = random.permutation(np.flatnonzero(group == g))[:_BINS_OF_A_GROUP]
            forms[g] = fit_kernel(some._replace(y=some.y[:, mine]), noise[mine], forms[g], iterations, tilted)
        group = _deal(some, noise, forms, np.unique(group))
    used, group = np.unique(group, return_inverse=True)
    return group, [forms[g] for g in used]


def _deal(runs: Runs, noise: np.ndarray, forms: list[Form], used: np.ndarray) -> np.ndarray:
    """(n_bins,) under which of the `used` kernels every bin is most probable."""
    return used[np.argmax([score_bins(runs, noise, forms[g]).log_density for g in used], axis=0)]


def _first_groups(runs: Runs, n_groups: int, random: np.random.Generator) -> np.ndarray:
    """(n_bins,) bins grouped by how much of their variation each input explains, by straight lines and parabolas."""
    x = runs.x
    design = np.concatenate([np.ones((len(x), 1)), x, x**2], axis=1) / runs.loud[:, None]
    coefficients = np.linalg.lstsq(design, runs.y, rcond=None)[0][1:].reshape(2, x.shape[1], -1)
    share = np.abs(np.concatenate([coefficients[0], 2 * coefficients[1]])).T
    share /= np.maximum(share.sum(axis=1, keepdims=True), 1e-30)
    n_groups = min(n_groups, len(share))
    return kmeans2(share, n_groups, minit="++", rng=random)[1]


def _condition(runs: Runs, noise: np.ndarray, group: np.ndarray, forms: list[Form]) -> tuple[np.ndarray, ...]:
    """Condition every bin on all runs: vectors, weights, gain, amplitude and extra of `Posterior`."""
    n_bins = runs.y.shape[1]
    amplitude, extra = np.zeros(n_bins), np.zeros(n_bins)
    found = []
    for g, form in enumerate(forms):
        mine = np.flatnonzero(group == g)
        eigenvalues, vectors = decompose(runs.matrix(form))
        z = vectors.T @ runs.y[:, mine]
        scales = best_scales(eigenvalues, z, noise[mine])
        amplitude[mine], extra[mine] = scales.amplitude, scales.extra
        nu = np.maximum(noise[mine] + scales.extra, 1e-30)
        signal = np.max(scales.amplitude / nu, initial=0.0) * eigenvalues
        keep = (signal > _NEGLIGIBLE) & (eigenvalues > _SMALLEST * eigenvalues[-1])
        keep[-1] = True
        found.append((mine, eigenvalues[keep], vectors[:, keep] / runs.loud[:, None], z[keep], nu))
    m = max(vectors.shape[1] for _, _, vectors, _, _ in found)
    padded = np.zeros((len(forms), len(runs.x), m))
    weights, gain = np.zeros((n_bins, m)), np.zeros((n_bins, m))
    for g, (mine, eigenvalues, vectors, z, nu) in enumerate(found):
        k = len(eigenvalues)
        a = amplitude[mine][:, None]
        d = a * eigenvalues + nu[:, None]
        padded[g, :, :k], weights[mine, :k], gain[mine, :k] = vectors, a * z.T / d, a**2 / d
    return padded, weights, gain, amplitude, extra
