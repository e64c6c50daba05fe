"""Final histograms of a YODA file, of one of its weights: the nominal one, whose paths have no name in brackets, or a
named one, `/ANALYSIS/d01-x01-y01[NAME]`.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sbitune.data import yoda
from sbitune.data.errors import EmptySelectionError
from sbitune.data.text.names import list_names
from sbitune.data.text.paths import is_final, split_weight


def read_final(
    path: str | Path,
    wanted: Callable[[str], bool] = lambda name: True,
    weight: str = "",
    tell: Callable[[str], None] = lambda message: None,
) -> dict[str, yoda.Object]:
    """Read the final objects of a weight, by paths without its name.

    Args:
        path: the file.
        wanted: tells which to read, by paths without a weight.
        weight: its name; none: the nominal one.
        tell: receives a message for every faulty object that is not read.

    Raises:
        InputError: the file cannot be read; or it has no final object of this weight, but of others, which are named.
    """
    others: set[str] = set()

    def select(name: str) -> bool:
        plain, found = split_weight(name)
        if not is_final(plain):
            return False
        others.add(found)
        return found == weight and wanted(plain)

    objects = yoda.read(path, select, tell=tell)
    if others and weight not in others:
        said = f"of the weight {weight!r}" if weight else "of a nominal weight"
        names = sorted(name for name in others if name)
        remedy = f"choose one in the card, as scan: {{weight: {names[0]}}}" if names else "leave out scan.weight"
        known = list_names(names) if names else "the nominal one"
        raise EmptySelectionError(f"{path}: no final histogram {said}; it has those of {known}: {remedy}")
    plain = {split_weight(name)[0]: item for name, item in objects.items()}
    return {name: item if item.path == name else replace(item, path=name) for name, item in plain.items()}
