"""What several test files need."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def lep_card() -> Path:
    """The card of the default tune."""
    return ROOT / "tunes" / "lep" / "card.yaml"
