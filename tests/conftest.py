"""What several test files need."""

from pathlib import Path

import pytest
from helpers.places import ROOT
from helpers.skips import pytest_sessionfinish, pytest_terminal_summary  # noqa: F401  (hooks)
from hypothesis import settings

# one run is like another; `--hypothesis-profile=default` draws other examples every time
settings.register_profile("repeatable", derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture
def lep_card() -> Path:
    """The card of the default tune."""
    return ROOT / "tunes" / "lep" / "card.yaml"


@pytest.fixture(autouse=True)
def _own_analyses_are_forgotten():
    """Analyses that a test registered from a file of its own are not there for the next one."""
    from sbitune.generators.observables.framework import registry

    before = dict(registry._registered)
    yield
    registry._registered.clear()
    registry._registered.update(before)
