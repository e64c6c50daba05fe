"""What columns of a table of events are called: which are weights, groups and flags where nobody says so."""

from sbitune.data.text.paths import split_weight

#: the column of group ids
GROUP = "group"
#: the nominal weight; others are `weight[NAME]`, as in paths of YODA files
WEIGHT = "weight"
#: behind the name of a ragged column: the array of its offsets, where columns are single arrays
OFFSETS = ".offsets"


def weight_name(variation: str) -> str:
    """The column of a weight.

    >>> weight_name(""), weight_name("MUR2_MUF1")
    ('weight', 'weight[MUR2_MUF1]')
    """
    return f"{WEIGHT}[{variation}]" if variation else WEIGHT


def variation_of(column: str) -> str | None:
    """The variation of a column that is called as a weight is; None for another.

    >>> variation_of("weight"), variation_of("weight[MUR2]"), variation_of("mass")
    ('', 'MUR2', None)
    """
    plain, variation = split_weight(column)
    return variation if plain == WEIGHT else None
