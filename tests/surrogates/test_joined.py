"""Bins that runs share are learnt once, by themselves: the noise of a measurement counts once."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.copiedscan import copied_scan, responses

from sbitune.data.blocks import (
    draw_held_out,
    left_to_learn,
    linked_groups,
    linked_runs,
    mean_error,
    repeat_runs,
    split_blocks,
    spread_over,
)
from sbitune.data.errors import InputError
from sbitune.data.scan import Scan
from sbitune.fitting.likelihood.problem import BinnedProblem
from sbitune.learning.rows import fold_groups
from sbitune.tuning.checks.closure import closure, pseudo_data
from sbitune.tuning.studies.information_gain import surrogate_share
from sbitune.tuning.studies.jackknife import Refit, draw_combinations, independent_sizes, stability
from sbitune.tuning.studies.sequential import propose
from sbitune.tuning.surrogates.choice.choice import choice_of_kind
from sbitune.tuning.surrogates.components.joined import JoinedSurrogate
from sbitune.tuning.surrogates.config import SurrogateConfig
from sbitune.tuning.surrogates.description import describe, in_words
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.ipol.export import to_ipol
from sbitune.tuning.surrogates.network.config import NetworkConfig
from sbitune.tuning.surrogates.polynomial.config import PolynomialConfig
from sbitune.tuning.surrogates.polynomial.fit import fit_polynomial
from sbitune.tuning.surrogates.polynomial.orders import choose_order
from sbitune.tuning.surrogates.protocols import unknown_parameters
from sbitune.tuning.surrogates.rational.config import RationalConfig
from sbitune.tuning.surrogates.regression.noise import smooth_errors
from sbitune.tuning.surrogates.storage import load_surrogate, save_surrogate
from sbitune.tuning.surrogates.training import train

KEY = jax.random.key(1)
CONFIGS: dict[str, SurrogateConfig] = {
    "components": PolynomialConfig(order=2),
    "bin by bin": PolynomialConfig(order=2, components=False),
    "rational": RationalConfig(numerator=2, denominator=1),
    "gaussian": GaussianConfig(groups=1),
    "network": NetworkConfig(hidden=(8,), folds=2, members_per_fold=2, epochs=40, patience=40),
}


@pytest.fixture(scope="module")
def scan() -> Scan:
    return copied_scan(20, n=5)


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.slow if name in ("rational", "network") else ()) for name in CONFIGS],
)
def joined(request: pytest.FixtureRequest, scan) -> JoinedSurrogate:
    found = train(KEY, scan, CONFIGS[request.param])
    assert isinstance(found, JoinedSurrogate)
    return found


def test_a_scan_is_split_into_scans_of_independent_runs(scan) -> None:
    own, copied = split_blocks(scan)
    assert (own.bins.tolist(), copied.bins.tolist()) == (list(range(10, 20)), list(range(10)))
    assert own.scan.theta.shape == (125, 3)
    assert copied.scan.theta.shape == (25, 2)
    assert [p.name for p in copied.scan.parameters] == ["alphaS", "bLund"]
    np.testing.assert_array_equal(copied.scan.values[copied.measurement], scan.values[:, :10])
    np.testing.assert_array_equal(copied.scan.theta[copied.measurement], scan.theta[:, :2])
    assert own.scan.copies == copied.scan.copies == ()


def test_bins_are_where_they_were_and_do_not_depend_on_what_they_were_copied_over(joined, scan) -> None:
    theta = np.array([[0.12, 0.5, 1.6], [0.12, 0.5, 2.9], [0.15, 1.0, 2.0]])
    mean, error = joined.predict_many(theta)
    np.testing.assert_array_equal(mean[0, :10], mean[1, :10])
    np.testing.assert_array_equal(error[0, :10], error[1, :10])
    exact = responses(20, 10, 2 * (theta - [0.1, 0.2, 1.5]) / [0.06, 1.0, 1.5] - 1)
    assert np.median(np.abs(mean / exact - 1)) < 0.15
    with jax.enable_x64(True):
        one = joined.predict(jnp.asarray(theta[2]))
    np.testing.assert_allclose(one.mean, mean[2], rtol=1e-5)
    np.testing.assert_allclose(one.error, error[2], rtol=1e-3)


def test_errors_of_different_events_are_uncorrelated(joined, scan) -> None:
    indices, theta = np.array([15, 3, 7, 11, 2]), scan.theta[60]
    with jax.enable_x64(True):
        v = np.asarray(jax.jit(joined.covariance)(jnp.asarray(theta), jnp.asarray(indices)))
    np.testing.assert_allclose(v, next(joined.covariances(theta[None], indices)), rtol=1e-3, atol=1e-9)
    np.testing.assert_allclose(np.diag(v), joined.predict_many(theta[None]).error[0, indices] ** 2, rtol=1e-3)
    copied = indices < 10
    assert not v[np.ix_(copied, ~copied)].any()
    assert joined.correlation is None or not joined.correlation[:10, 10:].any()


def test_it_comes_back_from_a_file(joined, scan, tmp_path) -> None:
    save_surrogate(tmp_path / "s.npz", joined, scan.runs)
    back = load_surrogate(tmp_path / "s.npz")
    for found, expected in zip(back.predict_many(scan.theta[:9]), joined.predict_many(scan.theta[:9]), strict=True):
        np.testing.assert_array_equal(found, expected)
    v, w = (next(s.covariances(scan.theta[:1], np.arange(20))) for s in (back, joined))
    np.testing.assert_array_equal(v, w)
    assert describe(back) == describe(joined)


def test_it_is_described_block_by_block(joined) -> None:
    own, copied = describe(joined)["blocks"]
    assert (own["measurements"], own["parameters"]) == (125, ["alphaS", "bLund", "MPI:pT0Ref"])
    assert (copied["measurements"], copied["parameters"], copied["bins"]) == (25, ["alphaS", "bLund"], 10)
    words = in_words(describe(joined))
    assert "10 bins (/EE/d00) have 25 measurements, and are learnt as functions of alphaS and bLund alone" in words


def test_least_squares_of_measurements_are_those_of_the_runs_without_their_copies(scan) -> None:
    """A copied block is the fit to one run of each measurement; its covariance that of 25, not of 125 runs."""
    config = PolynomialConfig(order=2, components=False, shrinkage=False)
    found = train(KEY, scan, config).predict_many(scan.theta)
    once = scan.take_runs(scan.runs[::5]).take_bins(np.arange(10))
    once = replace(once, parameters=once.parameters[:2], theta=once.theta[:, :2], known_copies=())
    expected = fit_polynomial(once, 2, shrinkage=False).predict_many(scan.theta[:, :2])
    np.testing.assert_allclose(found.mean[:, :10], expected.mean, rtol=1e-9)
    np.testing.assert_allclose(found.error[:, :10], expected.error, rtol=1e-9)


def test_errors_are_smoothed_over_measurements(scan) -> None:
    noise = smooth_errors(scan)
    own, copied = split_blocks(scan)
    np.testing.assert_array_equal(noise[:, own.bins], smooth_errors(own.scan))
    np.testing.assert_array_equal(noise[::5, :10], smooth_errors(copied.scan))


def test_held_out_runs_take_their_copies_with_them(scan) -> None:
    held = draw_held_out(scan, np.random.default_rng(1).permutation(125), 0.2)
    assert held.sum() == 25
    assert np.unique(linked_runs(scan)[held]).size == 5
    choice = choice_of_kind(KEY, scan, PolynomialConfig(order=2))
    assert isinstance(choice.trial, JoinedSurrogate)
    assert [member.measurements for member in choice.trial.members] == [100, 20]
    shared = {tuple(theta) for theta in choice.held.theta[:, :2]}
    assert len(shared) == 5
    used, _ = scan.split(choice.held.runs)
    assert not shared & {tuple(theta) for theta in split_blocks(used)[1].scan.theta}


def test_runs_that_share_measurements_with_all_others_cannot_be_held_out(scan) -> None:
    with pytest.raises(InputError, match="share all 25 measurements of 10 bins from /EE/d00 on"):
        scan.split(scan.runs[::5])
    few = [run for i, run in enumerate(scan.runs) if i % 5 == 0 and i > 5]
    with pytest.raises(InputError, match=r"10 bins from /EE/d00 on, independent of MPI:pT0Ref, have 2 measurements"):
        train(KEY, scan.split(few)[0].take_bins(np.arange(13)), GaussianConfig(components=False))


def test_the_error_of_a_mean_knows_what_is_shared() -> None:
    random = np.random.default_rng(1)
    alone = random.normal(size=400)
    assert mean_error(alone, np.arange(400)) == pytest.approx(alone.std(ddof=1) / 20, rel=1e-12)
    shared = np.repeat(random.normal(size=400), 7)
    assert mean_error(shared, np.repeat(np.arange(400), 7)) == pytest.approx(1 / 20, rel=0.1)


def test_blocks_that_link_all_runs_still_leave_some_to_hold_out(scan) -> None:
    values, errors = np.array(scan.values), np.array(scan.errors)
    first = np.arange(25)[np.arange(125) % 25]  # /PP does not know the first parameter
    values[:, 10:], errors[:, 10:] = values[first][:, 10:], errors[first][:, 10:]
    crossed = replace(scan, values=values, errors=errors)
    assert len(split_blocks(crossed)) == 2
    assert np.unique(linked_runs(crossed)).size == 5  # one for every value of the second parameter
    held = draw_held_out(crossed, np.random.default_rng(1).permutation(125), 0.2)
    used, out = crossed.split([run for run, gone in zip(crossed.runs, held, strict=True) if gone])
    assert 1 <= len(out.runs) <= 25
    assert min(len(block.scan.runs) for block in split_blocks(used)) >= 20


def coverage(copied: bool, seeds: range, n_bins: int = 40, rho: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Roots (n, 3) of held-out runs of copied scans, and which share a measurement."""
    roots, linked = [], []
    for seed in seeds:
        scan = copied_scan(n_bins, seed=seed, rho=rho, copied=copied)
        groups = np.random.default_rng(seed).permutation(49)[:10]
        used, held = scan.split([scan.runs[7 * g + i] for g in groups for i in range(7)])
        surrogate = train(KEY, used, PolynomialConfig(order=3))
        rows = [scan.runs.index(run) for run in held.runs]
        roots.append(closure(surrogate, held, smooth_errors(scan)[rows], thorough=False).roots)
        linked.append(100 * seed + np.repeat(np.arange(10), 7))
    return np.concatenate(roots), np.concatenate(linked)


@pytest.mark.slow
@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_intervals_of_held_out_runs_cover(rho) -> None:
    roots, _ = coverage(True, range(6), rho=rho)
    assert np.mean(np.abs(roots) < 1) == pytest.approx(0.683, abs=0.05)
    assert np.mean(np.abs(roots) < 1.96) == pytest.approx(0.95, abs=0.02)


def test_polynomials_become_ipol_exactly_and_processes_a_kernel_form(scan) -> None:
    theta = scan.theta[::9]
    polynomial = train(KEY, scan, PolynomialConfig(order=2))
    interpolation, accuracy = to_ipol(polynomial)
    assert accuracy.exact
    np.testing.assert_allclose(interpolation.evaluate(theta)[0], polynomial.predict_many(theta).mean, rtol=1e-8)
    chosen = np.array([3, 17, 12, 0])
    for config in (GaussianConfig(groups=1), GaussianConfig(groups=2, components=False)):
        processes = train(KEY, scan, config)
        form = processes.kernel_form(chosen)
        assert form is not None
        np.testing.assert_allclose(form.means(theta), processes.predict_many(theta).mean[:, chosen], rtol=1e-7)


def test_next_runs_are_proposed_for_what_is_learnt_of_all_blocks(scan) -> None:
    model = train(KEY, scan, PolynomialConfig(order=2))
    used = np.arange(20)
    measured = pseudo_data(scan.bins, used, scan.values[62], smooth_errors(scan)[62])
    problem = BinnedProblem(model, measured)
    share = surrogate_share(problem, scan, scan.theta[62])
    part = np.diag(share.teachable) / np.diag(share.quoted)  # the rest is what no polynomial describes
    assert (part > 0.1).all()
    assert (part < 1).all()
    points = scan.theta[62] * (1 + 0.02 * np.random.default_rng(1).normal(size=(6, 3)))
    proposal = propose(KEY, problem, scan, points, 2, scan.theta)
    assert proposal.method == "expected gain"
    assert proposal.before > proposal.after[0] > proposal.after[1] > 0


def test_closure_knows_what_runs_share(scan) -> None:
    used, held = scan.split([f"{i:04d}" for i in (60, 61, 62, 63, 64, 85, 86, 87, 88, 89)])
    found = closure(train(KEY, used, PolynomialConfig(order=2)), held, thorough=False)
    assert (len(found.values), found.independent) == (10, 2)
    figures = found.figures()
    assert figures["parameters"]["alphaS"]["bias_error"] == pytest.approx(1 / np.sqrt(2))  # type: ignore[index]
    assert spread_over(linked_runs(held), 3).tolist() == [0, 1, 5]


def test_runs_that_repeat_are_measurements_of_their_own(scan) -> None:
    groups = linked_groups(scan)
    again = repeat_runs(scan, np.concatenate([groups[3], groups[3], groups[7]]))
    assert again.runs[:6] == ("0015", "0016", "0017", "0018", "0019", "0015 (copy 2)")
    (block,) = again.copies
    assert len(np.unique(block.measurement)) == 3
    alone = copied_scan(20, n=3, copied=False)
    assert repeat_runs(alone, np.array([1, 1, 2])).copies == ()


def test_runs_that_share_measurements_are_left_out_together(scan) -> None:
    drawn = draw_combinations(scan, 4, 20, seed=1)
    assert {len(names) for names in drawn} == {105}
    assert independent_sizes(scan, drawn) == ([21] * 4, 25)
    apart = [scan.runs[:-1], scan.runs[:-5]]
    assert independent_sizes(scan, apart) == ([0, 24], 25)
    refits = [Refit(str(i), np.array([float(i)]), np.ones(1), 1.0, "") for i in range(4)]
    assert stability(refits, [21] * 4, 25).error == pytest.approx(np.sqrt(21 / 4 * (1 - 1 / 12650) * 5 / 3))
    assert stability(refits, [0, 24, 24, 24], 25).error is None


def test_orders_are_compared_on_measurements(scan) -> None:
    found = choose_order(scan, 3, seed=1)
    alone = [choose_order(block.scan, 3, seed=1) for block in split_blocks(scan)]
    assert found.order in {choice.order for choice in alone}
    widths = [score.pull_width for score in found.scores if score.order >= 2]
    np.testing.assert_allclose(widths, 1, atol=0.15)


def test_what_is_left_to_learn_from_is_said(scan) -> None:
    used, _ = scan.split(scan.runs[60:62])
    (words,) = left_to_learn(used)
    assert "of 25 measurements that the others have of 10 bins from /EE/d00 on 24 are learnt from" in words
    assert left_to_learn(scan) == left_to_learn(scan.take_bins(np.arange(10, 20))) == []


def test_folds_keep_together_what_is_not_independent() -> None:
    groups = np.repeat(np.arange(10), [1, 7, 3, 3, 3, 2, 2, 1, 7, 7])
    rows = fold_groups(KEY, groups, 3)
    for train_rows, held in zip(rows.train, rows.validation, strict=True):
        assert not set(groups[train_rows]) & set(groups[held])
        assert set(train_rows) | set(held) == set(range(len(groups)))


def test_a_parameter_that_no_bin_knows_is_named_and_held(scan) -> None:
    model = train(KEY, scan, PolynomialConfig(order=2))
    assert unknown_parameters(model, np.arange(10)) == ["MPI:pT0Ref"]
    assert unknown_parameters(model, np.arange(5, 12)) == []
    assert unknown_parameters(model.members[0].surrogate, np.arange(5)) == []
    every = copied_scan(20, share=1.0, n=5)
    used, held = every.split([f"{i:04d}" for i in (60, 61, 62, 63, 64)])
    found = closure(train(KEY, used, PolynomialConfig(order=2)), held, thorough=False)
    assert found.names == ("alphaS", "bLund")
