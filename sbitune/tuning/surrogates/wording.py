"""Sentences on surrogates for reports."""

from collections.abc import Mapping
from typing import Any

#: names of the median chi2/ndf of what is fitted
OF_BINS, OF_COMPONENTS = "median_chi2_per_ndf", "components_median_chi2_per_ndf"


def sentences(phrase: str, about: Mapping[str, Any]) -> str:
    """A few sentences on a surrogate of which `about` was noted, learnt from runs as what the phrase says."""
    words = phrase
    if "components" in about:
        own = about["bins_of_their_own"]
        words += (
            f" of the {about['components']} combinations of bins that respond to the parameters"
            + (f", and of {own} bins that hold more signal" if own else "")
            + "; in all other directions the runs differ by noise alone. "
            + _quality(about, OF_COMPONENTS, "combinations")
            + "Errors are those of this prediction with its covariance between bins, widened until runs that were held "
            "out agree with it"
        )
    else:
        words += f" for every bin. {_quality(about, OF_BINS, 'bins')}"
        words += "Its error counts what it misses, widened where parameters that are fitted to runs held out need it; "
        words += (
            "bins are learnt in combinations whose noise is independent, and their errors move together as it does"
            if about.get("whitened")
            else "its correlation is that of the runs' residuals"
        )
    return words


def _quality(about: Mapping[str, Any], key: str, what: str) -> str:
    """A sentence on how well the runs are described; none where no chi2 is known."""
    return f"The runs' chi2/ndf is {about[key]:.2g} in the median over the {what}. " if key in about else ""
