"""The bins of one run as YODA scatters, for programs that read histograms, and back."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from sbitune.data import yoda
from sbitune.data.bins import Bins
from sbitune.data.checks.variances import negative_variances
from sbitune.data.errors import InputError
from sbitune.data.histograms import Histograms, flatten
from sbitune.data.text.names import shorten
from sbitune.data.text.numbers import natural, quoted
from sbitune.data.text.paths import is_final

#: numbers of the bins in their histogram, where the scatter does not hold all of them from 0 on
BIN_NUMBERS = "BinNumbers"
#: stands for the error of a bin whose variance is negative: not finite, so that nothing can go on with it
NEGATIVE = -np.inf


def scatters_of(
    bins: Bins, values: np.ndarray, errors: np.ndarray, annotations: Mapping[str, Any] | None = None
) -> list[yoda.Scatter]:
    """One scatter per histogram, in the order of appearance, its points in the order of the bins.

    Args:
        bins: (n_bins,) with finite edges.
        values: (n_bins,) contents.
        errors: (n_bins,) the same upwards and downwards.
        annotations: written into every scatter.

    Raises:
        InputError: for an edge that is not finite, or a path that would not be read back as a final histogram.
    """
    return [_scatter(bins, bins.of(path), path, values, errors, annotations or {}) for path in _checked_paths(bins)]


def histograms_of(objects: Iterable[Any]) -> Histograms:
    """Bins of objects as `flatten` gives them, with the numbers that `scatters_of` noted down.

    Where a variance is negative the errors are NEGATIVE, which readers refuse.
    """
    listed = list(objects)
    histograms = _marked(flatten(listed), negative_variances(listed))
    noted = {item.path: item.annotations[BIN_NUMBERS] for item in listed if BIN_NUMBERS in item.annotations}
    if not noted:
        return histograms
    bins, index = histograms.bins, histograms.bins.index.copy()
    for path, text in noted.items():
        where = bins.of(path)
        index[where] = _bin_numbers(path, str(text), len(where))
    renumbered = Bins(bins.path, index, bins.low, bins.high, bins.name)
    return Histograms(renumbered, histograms.values, histograms.minus, histograms.plus)


def _marked(histograms: Histograms, negative: np.ndarray) -> Histograms:
    minus, plus = (np.where(negative, NEGATIVE, errors) for errors in (histograms.minus, histograms.plus))
    return Histograms(histograms.bins, histograms.values, minus, plus)


def _checked_paths(bins: Bins) -> list[str]:
    infinite = np.flatnonzero(~np.isfinite(bins.low) | ~np.isfinite(bins.high))
    if len(infinite):
        raise InputError(f"bin {bins.take(infinite[:1]).labels()[0]}: a scatter holds no bin with an infinite edge")
    for path in bins.paths():
        if not path.startswith("/") or any(c.isspace() for c in path) or not is_final(path):
            raise InputError(f"{quoted(path)}: not the path of a final histogram; it would not be read back")
    return bins.paths()


def _scatter(
    bins: Bins, where: np.ndarray, path: str, values: np.ndarray, errors: np.ndarray, annotations: Mapping[str, Any]
) -> yoda.Scatter:
    low, high = bins.low[where], bins.high[where]
    centre = low + (high - low) / 2
    numbers = bins.index[where].tolist()
    noted = {} if numbers == list(range(len(where))) else {BIN_NUMBERS: numbers}
    return yoda.Scatter(
        path,
        np.stack([centre, values[where]], axis=1),
        np.stack([centre - low, errors[where]], axis=1),
        np.stack([high - centre, errors[where]], axis=1),
        annotations={**annotations, **noted},
    )


def _bin_numbers(path: str, text: str, count: int) -> list[int]:
    inside = text.strip().removeprefix("[").removesuffix("]").split(",")
    try:
        numbers = [natural(word.strip()) for word in inside]
    except ValueError:
        numbers = []
    if text.strip()[:1] + text.strip()[-1:] != "[]" or len(numbers) != count or len(set(numbers)) < count:
        told = f"does not list the numbers of {count} bins, each once: {shorten(text)}"
        raise InputError(f"{path}: the annotation {BIN_NUMBERS} {told}")
    return numbers
