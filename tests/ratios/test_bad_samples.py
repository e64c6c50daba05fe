"""Samples and data that a card of a mixture must not swallow: refused with their place, or said in the verdict."""

import numpy as np
import pytest
from helpers.faults import refused
from helpers.mixture import draw
from helpers.mixturecard import CARD, table, write_mixture

from sbitune.data.errors import InputError
from sbitune.data.events import write_events
from sbitune.ratios.card import load_card
from sbitune.ratios.samples import read_samples
from sbitune.ratios.stages.observed import read_data
from sbitune.ratios.stages.training import train_stage
from sbitune.ratios.verdict import checks_of_training
from sbitune.workflow.results.checks import judge, warnings_of


def test_an_up_sample_that_is_the_down_sample_is_refused(tmp_path):
    place = write_mixture(tmp_path / "card", n=400)
    (place / "up.npz").write_bytes((place / "down.npz").read_bytes())
    with refused("ratios-response-alike", "events at nu = 1 are those of", "at -1"):
        read_samples(load_card(place))
    first, last = CARD.index("        kind: learned"), CARD.index("network:")
    (place / "card.yaml").write_text(
        CARD[:first] + "        {kind: interpolated, down: down.npz, up: up.npz}\n" + CARD[last:]
    )
    with refused("ratios-response-alike", "events at nu = 1 are those of"):
        read_samples(load_card(place))


def test_data_are_read_as_samples_are(tmp_path):
    place = write_mixture(tmp_path / "card", n=400)
    x = draw(np.random.default_rng(1), 5, 5)
    x[3, 1] = np.nan
    write_events(place / "data.npz", table(x))
    with pytest.raises(InputError, match=r"data\.npz: 'y' is nan at row 3"):
        read_data(load_card(place))
    (place / "card.yaml").write_text(CARD + "select: x > 50\n")
    write_events(place / "data.npz", table(draw(np.random.default_rng(1), 5, 5)))
    with pytest.raises(InputError, match="there are no events that are selected"):
        read_data(load_card(place))


@pytest.mark.slow
def test_networks_that_learn_nothing_and_events_without_support_are_said(tmp_path):
    """Signal like background, and an up sample five standard deviations away."""
    place = write_mixture(tmp_path / "card", n=3000)
    rng = np.random.default_rng(7)
    write_events(place / "signal.npz", table(draw(rng, 0, 3000)))
    write_events(place / "up.npz", table(draw(rng, 0, 1500, 5.0)))
    checks = checks_of_training(train_stage(load_card(place)).record)
    failed = {check.name for check in checks if check.outcome == "failed"}
    assert {"networks learnt", "common support"} <= failed
    said = "\n".join(warnings_of(checks))
    assert "networks of ratios learnt nothing" in said
    assert "% of background at nu = 1 lies where what is reweighted to it has hardly any events" in said
    assert "a network learnt nothing" in judge(checks, "this fit").words
