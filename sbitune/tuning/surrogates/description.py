"""What a surrogate is, for results and reports."""

from typing import Any

import numpy as np

from sbitune.tuning.surrogates.choice import Choice
from sbitune.tuning.surrogates.compound import ComponentSurrogate
from sbitune.tuning.surrogates.gaussian import GaussianSurrogate
from sbitune.tuning.surrogates.ipol import IpolSurrogate
from sbitune.tuning.surrogates.neural import NeuralSurrogate
from sbitune.tuning.surrogates.polynomial import PolynomialSurrogate


def describe(surrogate: Any) -> dict[str, Any]:
    """Kind and size of a surrogate as plain numbers and words."""
    if isinstance(surrogate, ComponentSurrogate):
        about = describe(surrogate.inner)
        about |= {"components": len(surrogate.components.loadings), "bins_of_their_own": len(surrogate.left_bins)}
        return about
    if isinstance(surrogate, PolynomialSurrogate):
        about = {"kind": "polynomial", "order": surrogate.order}
        return about | {"median_chi2_per_ndf": float(np.median(surrogate.chi2) / surrogate.ndf)}
    if isinstance(surrogate, GaussianSurrogate):
        return {"kind": "gaussian", "groups": len(surrogate.posterior.logs)}
    if isinstance(surrogate, NeuralSurrogate):
        config = surrogate.config
        return {"kind": "network", "members": config.folds * config.members_per_fold, "hidden": list(config.hidden)}
    if isinstance(surrogate, IpolSurrogate):
        order, error_order = surrogate.interpolation.orders.max(axis=0).tolist()
        return {"kind": "ipol", "order": order, "order_of_errors": error_order}
    return {"kind": type(surrogate).__name__}


def describe_choice(choice: Choice | None) -> dict[str, Any]:
    """The table of an automatic choice; empty if there was none."""
    if choice is None:
        return {}
    rows = [score._asdict() | {"name": score.name} for score in choice.scores]
    return {"chosen": choice.reason, "held_out_runs": choice.runs, "choice": rows}


_KINDS = {
    "polynomial": "polynomials of order {order}",
    "gaussian": "Gaussian processes with {groups} sets of lengths, chosen by their marginal likelihood",
    "network": "an ensemble of {members} networks",
}


def in_words(about: dict[str, Any]) -> str:
    """One or two sentences on a surrogate that `describe` described."""
    if about["kind"] == "ipol":
        return (
            f"Professor's polynomials of orders up to {about['order']} for every bin. As error stands the Monte Carlo "
            "error of one run, which says nothing about the polynomials; it is independent from bin to bin"
        )
    words = _KINDS.get(str(about["kind"]), str(about["kind"])).format(**about)
    if "components" in about:
        own = about["bins_of_their_own"]
        words += (
            f" of the {about['components']} combinations of bins that respond to the parameters"
            + (f", and of {own} bins that hold more signal" if own else "")
            + "; in all other directions the runs differ by noise alone. Errors are those of this prediction with its "
            "covariance between bins, widened until runs that were held out agree with it"
        )
    else:
        words += " for every bin. Its error counts what it misses, and its correlation is that of the runs' residuals"
    return words
