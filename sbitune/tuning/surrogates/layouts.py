"""What the arrays of a stored surrogate are like, kind by kind."""

from typing import Any

import numpy as np

from sbitune.data.bins import BINS
from sbitune.data.errors import InputError
from sbitune.data.layout import ArraySpec, Layout
from sbitune.data.names import shorten
from sbitune.tuning.surrogates.regression.basis import count_terms

_OF_BINS = ("n_bins",)
_NUMBER, _FLAG = ArraySpec(_OF_BINS), ArraySpec(_OF_BINS, np.bool_)
_NOT_NEGATIVE = ArraySpec(_OF_BINS, low=0)
_LOG_INPUTS = ArraySpec(("n_parameters",), np.bool_)
#: beside those of the kind
COMMON = BINS | {"correlation": ArraySpec(("n_bins", "n_bins"), needed=False)}

POLYNOMIAL = {
    "coefficients": ArraySpec(("n_terms", "n_bins")),
    "factor": ArraySpec(("n_bins", "n_terms", "n_terms")),
    "tau": _NOT_NEGATIVE,
    "chi2": _NOT_NEGATIVE,
    "log": _FLAG,
}
RATIONAL = {
    "log_inputs": _LOG_INPUTS,
    "numerators": ArraySpec(("n_above", "n_bins")),
    "denominators": ArraySpec(("n_below", "n_bins")),
    "factor": ArraySpec(("n_bins", "n_both", "n_both")),
    "shift": _NUMBER,
    "unit": _NOT_NEGATIVE,
    "tau": _NOT_NEGATIVE,
    "chi2": _NOT_NEGATIVE,
    "ndf": _NUMBER,
    "log": _FLAG,
}
GAUSSIAN = {
    "log_inputs": _LOG_INPUTS,
    "inputs": ArraySpec(("n_runs", "n_features")),
    "metric": ArraySpec(("n_groups", "n_features", "n_features")),
    "line": ArraySpec(("n_groups",), low=0),
    "group": ArraySpec(_OF_BINS, np.int64, low=0),
    "vectors": ArraySpec(("n_groups", "n_runs", "n_vectors")),
    "weights": ArraySpec(("n_bins", "n_vectors")),
    "gain": ArraySpec(("n_bins", "n_vectors"), low=0),
    "amplitude": _NOT_NEGATIVE,
    "extra": _NOT_NEGATIVE,
    "shift": _NUMBER,
    "scale": _NOT_NEGATIVE,
    "log": _FLAG,
}
NETWORK = {
    "log_inputs": _LOG_INPUTS,
    "input_shift": ArraySpec(("n_features",)),
    "input_scale": ArraySpec(("n_features",), low=float(np.finfo(float).tiny)),  # divides
    "output_shift": _NUMBER,
    "output_scale": _NOT_NEGATIVE,
    "log_outputs": _FLAG,
    "spread_factor": _NOT_NEGATIVE,
    "floor": _NOT_NEGATIVE,
}
COMPONENTS = {
    "centre": _NUMBER,
    "loadings": ArraySpec(("n_components", "n_bins")),
    "excess": _NOT_NEGATIVE,
    "common": _NOT_NEGATIVE,
    "log": _FLAG,
    "noise": _NOT_NEGATIVE,
    "rest": ArraySpec((), low=0),
    "least": ArraySpec((), low=0),
    "turned": ArraySpec(("n_components",), low=0),
    "left_bins": ArraySpec(("n_left",), np.int64, low=0),
}
#: of each of the parts of a joined surrogate, beside those of its kind
MEMBER = {
    "of_bins": ArraySpec(_OF_BINS, np.int64, low=0),
    "of_parameters": ArraySpec(("n_columns",), np.int64, low=0),
}
_LAYOUTS = {
    "polynomial": POLYNOMIAL,
    "rational": RATIONAL,
    "gaussian": GAUSSIAN,
    "network": NETWORK,
    "components": COMPONENTS,
    "joined": {},
}


def layout_of(meta: dict[str, Any]) -> Layout:
    """The arrays of a surrogate with this header. Raises `InputError` for a kind that this version does not know."""
    kind = meta["kind"]
    if kind not in _LAYOUTS:
        raise InputError(f"unknown kind of surrogate {shorten(repr(kind))}; update sbitune")
    return COMMON | _LAYOUTS[kind]


def sizes_of(meta: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, int]:
    """Lengths that the header tells. Raises `InputError` for orders that are none."""
    n = len(meta["parameters"])
    sizes = {"n_parameters": n}
    if meta["kind"] == "polynomial":
        sizes["n_terms"] = count_terms(n, whole("order", meta["order"]))
    elif meta["kind"] == "rational":
        above, below = (count_terms(n, whole("order", order)) for order in meta["order"])
        sizes |= {"n_above": above, "n_below": below - 1, "n_both": above + below - 1}
    elif "log_inputs" in arrays:
        sizes["n_features"] = n + int(np.count_nonzero(arrays["log_inputs"]))
    return sizes


def whole(name: str, number: Any) -> int:
    """A number of the header that counts something. Raises `InputError` for anything else."""
    if type(number) is not int or number < 0:
        raise InputError(f"{name} is {shorten(repr(number))}, expected a whole number, 0 or more")
    return number
