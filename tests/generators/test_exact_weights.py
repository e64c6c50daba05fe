"""Weights at other hadronisation parameters, recovered from some, against those that Pythia gives there."""

import numpy as np
import pytest
from helpers.campaigns import LEP

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.events import Events, Origin
from sbitune.generators.columns import ColumnsRun
from sbitune.generators.pythia8.pythia import PythiaRun
from sbitune.generators.reweighting import Variations, recover

A, RHO = "StringZ:aLund", "StringFlav:probStoUD"
BASE = {A: 0.63, RHO: 0.2}
VARIATIONS = Variations.of({A: (0.48, 0.58, 0.78, 0.88), RHO: (0.167, 0.192, 0.242)})
#: left out of the recovery
OTHERS = {
    "held_rho": "frag:rho=0.26", "held_a": "frag:aLund=0.53", "both": "frag:aLund=0.73 frag:rho=0.17",
    "up": "frag:aLund=0.635", "down": "frag:aLund=0.625",
}  # fmt: skip


def events_of(lines, n: int, seed: int = 3, columns=("LEP_EVENT_SHAPES",)) -> Events:
    run, found = PythiaRun(lines, seed), ColumnsRun(columns, Origin(run="a"))
    tables = [found.table(batch) for batch in run.batches(n)]
    return Events.of(
        {name: np.concatenate([table[name] for table in tables]) for name in ("n_charged", "n_kaon")},
        np.concatenate([table.weights for table in tables]),
        tables[0].variations,
    )


@pytest.fixture(scope="module")
def events():
    lines = [*VARIATIONS.added_to(LEP), *(f"{name} = {value}" for name, value in BASE.items())]
    held = ",".join(f"{name} {words}" for name, words in OTHERS.items())
    lines = [line.removesuffix("}") + f",{held}}}" if "VariationFrag:List" in line else line for line in lines]
    return events_of(lines, 800)


def test_weights_at_other_values_are_those_of_pythia(events):
    statistics = recover(events, VARIATIONS, BASE)
    log = {name: np.log(events[f"weight[{name}]"]) for name in OTHERS}
    # the base is one of the values from which powers of a are recovered; the flavours have a closed form
    np.testing.assert_allclose(statistics.log_weight({RHO: 0.26}), log["held_rho"], atol=1e-11)
    assert np.std(log["held_a"]) > 0.3
    np.testing.assert_allclose(statistics.log_weight({A: 0.53}), log["held_a"], atol=1e-3)
    np.testing.assert_allclose(statistics.log_weight({A: 0.73, RHO: 0.17}), log["both"], atol=1e-3)
    w = np.exp(log["held_a"])
    assert statistics.ess({A: 0.53}) == pytest.approx(w.mean() ** 2 / (w**2).mean(), rel=1e-3)
    np.testing.assert_allclose(statistics.score(A), (log["up"] - log["down"]) / 0.01, atol=0.02)
    assert np.all(statistics.log_weight(BASE) == 0)


def test_mean_scores_vanish(events):
    statistics = recover(events, VARIATIONS, BASE)
    for name, width in ((A, 3.5), (RHO, 8.4)):  # of 10,000 events of Pythia 8.317
        score = statistics.score(name)
        assert abs(score.mean()) < 4 * score.std() / np.sqrt(len(score)), name
        assert score.std() == pytest.approx(width, rel=0.15), name


def test_a_variation_at_the_base_says_nothing_and_does_no_harm(events):
    weights = np.array(events.weights)
    at = events.variations.index("alund_0.48")
    weights[:, at] = 1 + 1e-15 * np.arange(len(weights))
    moved = Events.of(dict(events.columns), weights, events.variations)
    statistics = recover(moved, Variations.of({A: (0.63, 0.58, 0.78, 0.88)}), BASE)
    assert statistics.numbers[A].shape == (len(events), 3)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"StringZ:aLundd": (1.0, 2.0)}, "weights-no-form"),
        ({RHO: (0.2, 0.25, 0.25)}, "weights-too-few"),
        ({A: np.linspace(0.3, 0.9, 101)}, "weights-too-many"),
    ],
)
def test_what_cannot_be_varied(values, code):
    with pytest.raises(InputError) as caught:
        Variations.of(values)
    assert caught.value.code == code


def test_lines_that_make_weights_wrong_are_refused():
    for line in ("stringflav:popcornRate = 0.5", "VariationFrag:zHead=2", "VariationFrag:List = {a frag:aLund=1}"):
        with pytest.raises(InputError, match="exact weights need") as caught:
            VARIATIONS.added_to([*LEP, line])
        assert caught.value.code == "weights-other-settings"
    assert "StringFlav:popcornRate = 0" in VARIATIONS.added_to([*LEP, "StringFlav:popcornRate = 0.0"])


def changed(events: Events, how) -> Events:
    weights = np.array(events.weights)
    at = events.variations.index("alund_0.58")
    weights[:, at] = how(weights[:, at])
    return Events.of(dict(events.columns), weights, events.variations)


def test_weights_that_are_none_are_refused(events):
    statistics = recover(events, VARIATIONS, BASE)
    with pytest.raises(InputError, match=r"varied from 0\.48 to 0\.88") as caught:
        statistics.log_weight({A: 0.9})
    assert caught.value.code == "weights-outside-range"
    with pytest.raises(InputError, match="at which value was the run made"):
        recover(events, VARIATIONS, {A: 0.63})
    with pytest.raises(InputError, match="was the run asked for it") as caught:
        recover(events, Variations.of({A: (0.4, 0.5)}), BASE)
    assert caught.value.code == "weights-absent"
    with pytest.raises(InputError, match="Pythia has not varied anything") as caught:
        recover(changed(events, np.ones_like), VARIATIONS, BASE)
    assert caught.value.code == "weights-ignored"
    with pytest.raises(InputError, match=r"is 0 at row 0"):
        recover(changed(events, lambda w: 0 * w), VARIATIONS, BASE)
    with pytest.raises(ComputationError, match="popcornRate") as caught:
        recover(changed(events, lambda w: 1.2 * w), VARIATIONS, BASE)
    assert caught.value.code == "weights-biased"


@pytest.mark.slow
def test_weighted_means_are_those_of_direct_runs():
    lines = [*VARIATIONS.added_to(LEP), *(f"{name} = {value}" for name, value in BASE.items())]
    n, there = 10_000, {A: 0.7, RHO: 0.24}
    events = events_of(lines, n)
    plain = [line for line in lines if "List" not in line]
    direct = events_of([*plain[:-2], *(f"{name} = {value}" for name, value in there.items())], n, seed=4)
    w = np.exp(recover(events, VARIATIONS, BASE).log_weight(there))
    for name in ("n_charged", "n_kaon"):
        x, y = events[name], direct[name]
        mean = np.mean(w * x) / w.mean()
        error = np.hypot(np.std(w * (x - mean)), np.std(y)) / np.sqrt(n)  # pyright: ignore
        assert abs(mean - np.mean(y)) < 4 * error, name
    away = np.mean(events["n_kaon"]) - np.mean(direct["n_kaon"])  # pyright: ignore
    assert abs(away) > 4 * np.std(direct["n_kaon"]) * np.sqrt(2 / n)  # pyright: ignore
