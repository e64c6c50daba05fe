"""The page in which parameters are moved, in a real browser: its numbers are those of the surrogate and of the fit."""

import re
from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import msgspec
import numpy as np
import pytest
from helpers import toyline

from sbitune.data.parameter import Parameter, parameter_box
from sbitune.fitting.likelihood.protocols import Prediction
from sbitune.report.tune import live
from sbitune.report.tune.write import write_report
from sbitune.tuning.stages.fitted import Fitted
from sbitune.tuning.stages.pipeline import tune
from sbitune.tuning.surrogates.base import BaseSurrogate
from sbitune.tuning.surrogates.forms.compact import compact
from sbitune.tuning.surrogates.gaussian.config import GaussianConfig
from sbitune.tuning.surrogates.gaussian.fit import fit_gaussian
from sbitune.tuning.surrogates.training import train


@dataclass(frozen=True, eq=False)
class Bent(BaseSurrogate):
    """A surrogate that is no polynomial: another's, bent, with errors that grow."""

    straight: object

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return self.straight.parameters

    def predict_many(self, theta: np.ndarray) -> Prediction:
        mean, error = self.straight.predict_many(theta)
        unit = (theta - parameter_box(self.parameters)[0]) / parameter_box(self.parameters)[1]
        return Prediction(mean * np.exp(0.2 * np.sin(2 * unit[:, :1])), error * (2 + unit[:, 1:]))

    def covariance(self, theta, indices):
        error = self.predict_many(np.asarray(theta)[None]).error[0][np.asarray(indices)]
        return jnp.outer(error, error) * (0.3 + 0.7 * jnp.eye(len(error)))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    return tune(toyline.make(tmp_path_factory.mktemp("live")))


@pytest.fixture(scope="module")
def address(tuned) -> str:
    """Of the page of `tuned`."""
    return write_report(tuned).as_uri()


@pytest.fixture(scope="module")
def correlated(tuned):
    """The same with all that a covariance can have, weights and a surrogate that is no polynomial."""
    random = np.random.default_rng(2)
    n = len(tuned.measured.bins)
    scatter = random.normal(size=(n, 3 * n))
    measured = replace(
        tuned.measured,
        shifts=0.02 * random.normal(size=(2, n)),
        noise=np.full(n, 0.004),
        weights=random.uniform(0.5, 2, n),
    )
    matched = tuned.matched._replace(measured=measured, correlation=np.corrcoef(scatter))
    return replace(tuned, surrogate=Bent(tuned.surrogate), matched=matched)


@pytest.fixture(scope="module", params=["tuned", "correlated"])
def fitted(request, browser) -> Fitted:
    """A tune whose page is open in the browser."""
    fitted = request.getfixturevalue(request.param)
    path = write_report(fitted, fitted.loaded.directory / f"{request.param}.html")
    browser.go(path.as_uri())
    browser.frames()
    return fitted


@pytest.fixture
def at_start(fitted, browser) -> Fitted:
    browser.run("sbitune.set(arguments[0]); document.querySelector('#live input[type=checkbox]').checked = false",
                fitted.theta.tolist())  # fmt: skip
    browser.run("window.scrollTo(0, 0)")
    browser.frames()
    return fitted


def points(fitted: Fitted, n: int = 40) -> np.ndarray:
    centre, half = parameter_box(fitted.surrogate.parameters)
    unit = np.random.default_rng(3).uniform(-1, 1, (n, len(centre)))
    return centre + half * np.concatenate([unit, [[-1, -1], [-1, 1], [1, -1], [1, 1]]])


def predicted(fitted: Fitted, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, error = fitted.surrogate.predict_many(np.atleast_2d(theta))
    return mean[:, fitted.measured.indices], error[:, fitted.measured.indices]


def chi2_terms(fitted: Fitted, mean: np.ndarray, weights: np.ndarray | float = 1.0) -> np.ndarray:
    """r_b (V^-1 r)_b with V written out, the surrogate's error being that at the tune."""
    m = fitted.measured
    r = np.eye(len(m.values)) if fitted.matched.correlation is None else fitted.matched.correlation
    noise = np.broadcast_to(m.noise, m.values.shape)
    with jax.enable_x64(True):
        of_surrogate = np.asarray(fitted.surrogate.covariance(jnp.asarray(fitted.theta), jnp.asarray(m.indices)))
    v = np.diag(m.errors**2) + m.shifts.T @ m.shifts + np.outer(noise, noise) * r + of_surrogate
    off = weights * (mean - m.values)
    return off * np.linalg.solve(v, off)


def shown_total(browser) -> float:
    return float(browser.run("return document.querySelector('[data-field=total]').textContent"))


def values_of(browser) -> list[float]:
    return browser.run("return sbitune.theta()")


def click(browser, selector: str) -> None:
    browser.run("document.querySelector(arguments[0]).click()", selector)
    browser.frames()


def test_nothing_fails_and_nothing_is_loaded(fitted, browser):
    assert browser.log() == []
    assert browser.run("return performance.getEntriesByType('resource').length") == 0


def test_the_page_predicts_what_the_surrogate_does(fitted, browser):
    theta = points(fitted)
    found = browser.run("return arguments[0].map((theta) => sbitune.predict(theta))", theta.tolist())
    mean, error = predicted(fitted, theta)
    off = np.abs(np.array([f["mean"] for f in found]) - mean) / fitted.measured.total_errors
    model = compact(fitted.surrogate, fitted.measured.indices, fitted.measured.total_errors, fitted.theta)
    # coefficients travel as float32: 6e-8 of contents up to some hundred errors
    assert off.max() < 1.5 * model.worst + 1e-4
    width = np.array([f["error"] for f in found]) / error - 1
    assert np.sqrt(np.mean(width**2)) < 2 * model.typical_error + 1e-4
    # and the page says so
    text = browser.run("return document.body.textContent")
    said = re.search(r"differ from the surrogate by (less than|at most) ([\d.e-]+) of the measured errors", text)
    assert said is not None
    assert off.max() < 1.5 * float(said[2])


def test_chi2_is_that_of_the_fit(fitted, browser):
    theta = points(fitted, 10)
    found = browser.run("return arguments[0].map((theta) => sbitune.chi2(theta))", theta.tolist())
    paths = fitted.measured.bins.paths()
    for point, one in zip(theta, found, strict=True):
        mean = np.array(browser.run("return sbitune.predict(arguments[0]).mean", point.tolist()))
        terms = chi2_terms(fitted, mean)
        wanted = [terms[fitted.measured.bins.of(path)].sum() for path in paths]
        np.testing.assert_allclose(one["observables"], wanted, rtol=1e-6, atol=1e-6 * np.abs(terms).sum())
        assert one["total"] == pytest.approx(terms.sum(), rel=1e-6)
        weighted = chi2_terms(fitted, mean, fitted.measured.weights).sum()
        assert one["weighted"] == pytest.approx(weighted, rel=1e-6)


def test_at_the_tune_it_is_what_the_record_says(tuned, address, browser):
    browser.go(address)
    browser.frames()
    found = browser.run("return sbitune.chi2(arguments[0])", tuned.theta.tolist())
    # the fit ends when its covariance, held at a point before, moves no parameter by a hundredth of its error
    np.testing.assert_allclose(found["observables"], [o.chi2 for o in tuned.record.observables], atol=0.02)
    assert shown_total(browser) == pytest.approx(tuned.record.chi2_unit, abs=0.07)


def test_a_slider_moves_numbers_and_curves_and_nothing_else(at_start, browser):
    browser.run("document.getElementById('move').scrollIntoView()")
    browser.frames(4)
    places = (
        "return [...document.querySelectorAll('#live *:not(path)')].map((e) => { const r = e.getBoundingClientRect();"
        "return e.closest('svg, .track, datalist') ? 0 : [r.x, r.y, r.width, r.height] })"
    )
    curves = "return [...document.querySelectorAll('#live path.moved-line')].map((p) => p.getAttribute('d'))"
    before, drawn = browser.run(places), browser.run(curves)
    assert len(drawn) == 2 * 2 + 1
    assert all(d.startswith("M") and "NaN" not in d for d in drawn)
    wanted = browser.run(
        "const s = document.querySelector('#live input[type=range]'); s.value = Number(s.min) + 0.9 * (s.max - s.min);"
        "s.dispatchEvent(new Event('input')); return Number(s.value)"
    )
    browser.frames()
    low, high = at_start.surrogate.parameters[0].low, at_start.surrogate.parameters[0].high
    assert wanted == pytest.approx(low + 0.9 * (high - low))
    assert values_of(browser) == [wanted, at_start.theta[1]]
    assert shown_total(browser) == pytest.approx(
        browser.run("return sbitune.chi2(arguments[0]).total", values_of(browser)), abs=0.051
    )
    assert shown_total(browser) > 50  # far beyond the errors
    after = browser.run(curves)
    # d02 depends on the first parameter only by 0.3 a b
    assert all(a != b for a, b in zip(drawn, after, strict=True))
    assert browser.run(places) == before


def test_curves_are_drawn_where_the_axes_say(at_start, browser):
    browser.run("document.getElementById('move').scrollIntoView()")
    browser.run("sbitune.set(arguments[0])", (at_start.theta + np.array([0.1, -0.1])).tolist())
    browser.frames(4)
    data = browser.run("return JSON.parse(document.getElementById('live-data').textContent)")
    mean = browser.run("return sbitune.predict(sbitune.theta()).mean")
    for i in (0, 1):
        observable = data["observables"][i]
        lines = browser.run(
            "const paths = document.querySelectorAll(`#live-${arguments[0]} path.moved-line`);"
            "return [...paths].map((p) => p.getAttribute('d'))",
            i,
        )
        for k, (box, path) in enumerate(zip(observable["boxes"], lines, strict=True)):
            heights = [float(y) for y in re.findall(r"V(-?[\d.]+)", path)]
            values = np.array([mean[b] for b in observable["bins"]])
            if k == 1:
                values = values / at_start.measured.values[observable["bins"]]
            up = (box["top"] + box["height"] - np.array(heights)) / box["height"]
            drawn = box["y"][0] + up * (box["y"][1] - box["y"][0])
            assert ((values > box["y"][0]) & (values < box["y"][1])).all()
            np.testing.assert_allclose(drawn, values, atol=1e-3 * (box["y"][1] - box["y"][0]))


def test_buttons(at_start, browser):
    theta = at_start.theta
    errors = [p.error for p in at_start.record.parameters.values()]
    click(browser, "button.default")
    np.testing.assert_allclose(values_of(browser), at_start.default)
    click(browser, "button.best")
    np.testing.assert_allclose(values_of(browser), theta)
    assert browser.run("return document.querySelector('[data-field=change]').textContent") == "0.0"
    click(browser, "button[data-parameter='1'][data-error='1']")
    np.testing.assert_allclose(values_of(browser), theta + np.array([0, errors[1]]))
    click(browser, "button.best")
    click(browser, "#live input[type=checkbox]")
    click(browser, "button[data-parameter='1'][data-error='-1']")
    covariance = np.array(at_start.record.covariance)
    np.testing.assert_allclose(values_of(browser), theta - covariance[1] / errors[1])


def test_one_error_along_the_correlation_costs_one_unit(address, browser):
    browser.go(address)
    browser.frames()
    click(browser, "#live input[type=checkbox]")
    start = browser.run("return sbitune.chi2(sbitune.theta()).total")
    rises = []
    for sign in (-1, 1):
        click(browser, f"button[data-parameter='0'][data-error='{sign}']")
        rises.append(browser.run("return sbitune.chi2(sbitune.theta()).total") - start)
    # the data have no noise and the surrogate little: the errors are those of chi2 + 1
    assert np.mean(rises) == pytest.approx(1, abs=0.15)


def test_only_what_is_seen_is_drawn(address, browser):
    browser.go(address)
    browser.run("document.getElementById('move').style.paddingTop = '4000px'")
    browser.frames(4)
    count = "return document.querySelectorAll('#live .moving path').length"
    assert browser.run(count) == 0
    browser.run("document.getElementById('live').scrollIntoView()")
    browser.frames(6)
    assert browser.run(count) > 0


def test_labels_cannot_end_the_script(tuned, browser):
    labels = {key: {**label, "Title": "</script><b>a & b</b>"} for key, label in tuned.reference.labels.items()}
    evil = replace(tuned, reference=replace(tuned.reference, labels=labels))
    browser.go(write_report(evil, tuned.loaded.directory / "evil.html").as_uri())
    browser.frames()
    assert browser.log() == []
    assert "</script><b>a & b</b>" in browser.run("return document.querySelector('.chi2s a').textContent")


def test_values_before_tuning_outside_the_scan_or_unknown_cannot_be_gone_to(tuned, browser):
    for default, reason in ((5.0, "outside the range"), (None, "not known")):
        a = replace_default(tuned, default)
        browser.go(write_report(a, tuned.loaded.directory / "other.html").as_uri())
        browser.frames()
        assert browser.log() == []
        button = browser.run("const b = document.querySelector('button.default'); return [b.disabled, b.title]")
        assert button[0]
        assert reason in button[1]


def replace_default(fitted: Fitted, default: float | None) -> Fitted:
    parameters = dict(fitted.record.parameters)
    parameters["a"] = msgspec.structs.replace(parameters["a"], default=default)
    return replace(fitted, record=msgspec.structs.replace(fitted.record, parameters=parameters))


def test_of_very_many_bins_the_page_has_those_that_respond_most(correlated, browser, monkeypatch):
    monkeypatch.setattr(live, "MOST_BINS", 10)
    path = write_report(correlated, correlated.loaded.directory / "part.html")
    browser.go(path.as_uri())
    browser.frames()
    text = browser.run("return document.body.textContent")
    assert "Of 3 observables the 2 are here that the parameters move most" in text
    measured = correlated.measured
    moves = correlated.scan.values[:, measured.indices].std(axis=0) / measured.total_errors
    rms = [float(np.sqrt(np.mean(moves[measured.bins.of(path)] ** 2))) for path in ("/TOY/d01", "/TOY/d02")]
    first = ("/TOY/d01", "/TOY/d02")[int(np.argmax(rms))]
    captions = browser.run("return [...document.querySelectorAll('#live figcaption')].map((c) => c.textContent)")
    assert sum(first in words for words in captions) == 1
    rows = np.sort(np.concatenate([measured.bins.of(first), measured.bins.of("/TOY/d03")]))
    part = replace(correlated, matched=correlated.matched.take(rows))
    expected = chi2_terms(part, predicted(part, part.theta)[0][0]).sum()
    assert shown_total(browser) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("components", [True, False])
def test_gaussian_processes_are_in_the_page_as_they_are(tuned, browser, components):
    """With logarithms of inputs, groups of bins and, of components, bins that are learnt alone, too."""
    scan = tuned.scan
    low = replace(scan.parameters[0], low=0.01)
    parameters = (low, *scan.parameters[1:])
    theta = np.array([0.01, -1.0]) + (scan.unit() + 1) / 2 * np.array([low.high - 0.01, 2.0])
    wide = replace(scan, parameters=parameters, theta=theta, values=scan.values * theta[:, :1] ** 0.3)
    trained = train(jax.random.key(1), wide, GaussianConfig(components=components))
    if components:
        bins, own = trained.bins.take(np.array([2, 5])), np.array([2, 5])
        alone = fit_gaussian(replace(wide.take_bins(own), bins=bins), GaussianConfig(components=False), 2, "linear")
        trained = replace(trained, left=alone, left_bins=own)
    assert trained.inner.log_inputs.any()
    fitted = replace(tuned, surrogate=trained)
    browser.go(write_report(fitted, fitted.loaded.directory / "gaussian.html").as_uri())
    browser.frames()
    assert browser.log() == []
    assert "The curves are the surrogate's own" in browser.run("return document.body.textContent")
    theta = points(fitted)
    found = browser.run("return arguments[0].map((theta) => sbitune.predict(theta).mean)", theta.tolist())
    np.testing.assert_allclose(found, predicted(fitted, theta)[0], rtol=1e-7)
    browser.run("sbitune.set(arguments[0])", theta[3].tolist())
    browser.frames()
    assert shown_total(browser) == pytest.approx(chi2_terms(fitted, predicted(fitted, theta[3])[0][0]).sum(), rel=1e-3)
