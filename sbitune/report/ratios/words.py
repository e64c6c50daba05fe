"""What pages of different ratios say of the same pictures."""

from typing import NamedTuple


class Words(NamedTuple):
    """What a page says of its ratios."""

    reference: str  #: where simulated events have the weights that they have before they are reweighted
    closure: str  #: what was reweighted to what
    calibration: str
    means: str  #: title of mean ratios
    mean: str  #: what each is


OF_MIXTURES = Words(
    "in the mixture that all ratios are relative to",
    "Simulated events that no network has seen, reweighted to each sample and to each value of a nuisance parameter "
    "(blue), beside other events that are of it (points); dashed: before. The worst are drawn.",
    "How often events are of a sample and not of the rest of the reference, both counted alike, where the ratios say "
    "how often. Mean ratios are those over the validation events; they must be 1.",
    "Responses",
    "Mean response of {sample} to {nuisance}",
)
OF_PARAMETERS = Words(
    "of the reference",
    "Events of the reference that no network has seen, each with the parameters of another event and reweighted to "
    "them (blue), beside events that were simulated there (points), all and those with small and large values of every "
    "parameter; dashed: before. The worst are drawn.",
    "Of held events, and of events of the reference with the parameters of others: how often they are the former, "
    "where the ratio says how often.",
    "Mean ratios",
    "Mean ratio over events of {sample} along {nuisance}, the other parameters at the reference",
)
