"""A value of another type in a card is quoted, with its file, line and key."""

import pytest
from helpers import toyline

from sbitune.data.errors import InputError
from sbitune.tuning.card import load_card


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("/TOY: 1", "/TOY: ten", ":13: observables./TOY: Expected `number`, got `text`: 'ten'"),
        ("events: 100, seed", "events: 1e3, seed", ":10: scan.events: Expected `whole number`, got `number`: '1e3'"),
        (
            "low: 0.5",
            'low: "0,5"',
            "8: parameters.a.low: Expected `number`, got `text`: '0,5'; write 0.5, with a point",
        ),
        (
            "low: 0.5",
            "low: 0,5",
            "8: parameters.a: a comma divides entries here, and no number has one: write low: 0.5",
        ),
        ("runs: 24", f"runs: {'x' * 99}", f"got `text`: '{'x' * 60}'..."),
    ],
)
def test_a_value_of_another_type_is_quoted(tmp_path, old, new, said):
    toyline.make(tmp_path)
    toyline.edit(tmp_path, old, new)
    with pytest.raises(InputError) as refused:
        load_card(tmp_path)
    assert said in str(refused.value)
