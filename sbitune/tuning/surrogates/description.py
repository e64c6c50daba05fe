"""What a surrogate is, for results and reports."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sbitune.tuning.surrogates.choice.choice import Choice
from sbitune.tuning.surrogates.components.compound import ComponentSurrogate
from sbitune.tuning.surrogates.components.joined import JoinedSurrogate, Member
from sbitune.tuning.surrogates.gaussian.surrogate import GaussianSurrogate
from sbitune.tuning.surrogates.ipol.surrogate import IpolSurrogate
from sbitune.tuning.surrogates.network.surrogate import NeuralSurrogate
from sbitune.tuning.surrogates.polynomial.surrogate import PolynomialSurrogate
from sbitune.tuning.surrogates.rational.surrogate import RationalSurrogate

#: observables of a block that are named
_SHOWN = 4
#: observables that are named, at most
_NAMED = 5
#: names of the median chi2/ndf of what is fitted
_OF_BINS, _OF_COMPONENTS = "median_chi2_per_ndf", "components_median_chi2_per_ndf"


def describe(surrogate: Any) -> dict[str, Any]:
    """Kind and size of a surrogate as plain numbers and words.

    `median_chi2_per_ndf` is that over bins, `components_median_chi2_per_ndf` that over components where these are
    learnt.
    """
    if isinstance(surrogate, JoinedSurrogate):
        blocks = [_block(surrogate, member) for member in surrogate.members]
        return {"kind": " and ".join(dict.fromkeys(block["kind"] for block in blocks)), "blocks": blocks}
    if isinstance(surrogate, ComponentSurrogate) and len(surrogate.components.loadings) == len(surrogate.bins):
        return describe(surrogate.inner) | {"whitened": True}
    if isinstance(surrogate, ComponentSurrogate):
        about = {_OF_COMPONENTS if key == _OF_BINS else key: value for key, value in describe(surrogate.inner).items()}
        about |= {"components": len(surrogate.components.loadings), "bins_of_their_own": len(surrogate.left_bins)}
        return about
    if isinstance(surrogate, PolynomialSurrogate):
        about = {"kind": "polynomial", "order": surrogate.order}
        return about | {_OF_BINS: float(np.median(surrogate.chi2) / surrogate.ndf)}
    if isinstance(surrogate, RationalSurrogate):
        about = {"kind": "rational", "numerator": surrogate.order[0], "denominator": surrogate.order[1]}
        about["least_denominator"] = float(surrogate.least_denominators().min())
        return about | {_OF_BINS: float(np.median(surrogate.chi2 / surrogate.ndf))}
    if isinstance(surrogate, GaussianSurrogate):
        return {"kind": "gaussian", "groups": len(surrogate.posterior.forms)}
    if isinstance(surrogate, NeuralSurrogate):
        config = surrogate.config
        return {"kind": "network", "members": config.folds * config.members_per_fold, "hidden": list(config.hidden)}
    if isinstance(surrogate, IpolSurrogate):
        order, error_order = surrogate.interpolation.orders.max(axis=0).tolist()
        return {"kind": "ipol", "order": order, "order_of_errors": error_order}
    return {"kind": type(surrogate).__name__}


def _block(surrogate: JoinedSurrogate, member: Member) -> dict[str, Any]:
    names = [p.name for p in surrogate.parameters]
    about = {"bins": len(member.bins), "measurements": member.measurements}
    about |= {"parameters": [names[column] for column in member.columns]}
    about |= {"observables": member.surrogate.bins.paths()}
    return about | describe(member.surrogate)


def describe_choice(choice: Choice | None) -> dict[str, Any]:
    """The table of an automatic choice; empty if there was none."""
    if choice is None:
        return {}
    rows = [
        {name: value for name, value in score._asdict().items() if name != "observables"} for score in choice.scores
    ]
    worst = [row._asdict() for row in choice.scores[0].observables[:_NAMED]]
    return {"chosen": choice.reason, "held_out_runs": choice.runs, "choice": rows, "worst_observables": worst}


_KINDS = {
    "polynomial": "polynomials of order {order}",
    "gaussian": "Gaussian processes with {groups} sets of lengths, chosen by their marginal likelihood",
    "rational": "rational functions of orders {numerator}/{denominator}, which have no pole in the box (every "
    "denominator is at least {least_denominator:.2g} there)",
    "network": "an ensemble of {members} networks",
}


def in_words(about: Mapping[str, Any]) -> str:
    """A few sentences on a surrogate that `describe` described."""
    if "blocks" in about:
        return ". ".join(_of_block(block, len(about["blocks"])) for block in about["blocks"])
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
            + "; in all other directions the runs differ by noise alone. "
            + _quality(about, _OF_COMPONENTS, "combinations")
            + "Errors are those of this prediction with its covariance between bins, widened until runs that were held "
            "out agree with it"
        )
    else:
        words += f" for every bin. {_quality(about, _OF_BINS, 'bins')}"
        words += "Its error counts what it misses, widened where parameters that are fitted to runs held out need it; "
        words += (
            "bins are learnt in combinations whose noise is independent, and their errors move together as it does"
            if about.get("whitened")
            else "its correlation is that of the runs' residuals"
        )
    return words


def _of_block(about: Mapping[str, Any], blocks: int) -> str:
    few = ", ".join(about["observables"][:_SHOWN]) + (", ..." if len(about["observables"]) > _SHOWN else "")
    known = " and ".join(about["parameters"])
    others = "" if blocks == 1 else "; no other bins were filled by the same events"
    return (
        f"{about['bins']} bins ({few}) have {about['measurements']} measurements, and are learnt as functions of "
        f"{known} alone{others}: {in_words(about)}"
    )


def _quality(about: Mapping[str, Any], key: str, what: str) -> str:
    """A sentence on how well the runs are described; none where no chi2 is known."""
    return f"The runs' chi2/ndf is {about[key]:.2g} in the median over the {what}. " if key in about else ""
