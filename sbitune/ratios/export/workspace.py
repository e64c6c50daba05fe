r"""A fit of events as a workspace of pyhf: what a binned analysis of the same samples can do, beside the unbinned one.

A process is a sample of the held events that are of it, which no network has seen, binned in a discriminant: its
template owes nothing to the learned ratio but the place of the bins. A scale is a `normfactor`. A nuisance nu with the
measurement m +- s becomes alpha = (nu - m) / s, which is measured to be 0 +- 1: templates with the weights that the
response gives events at alpha = -1 and +1 are a `histosys`, the expected number there a `normsys`. Numbers of simulated
events are a `staterror`. A file beside it names the unbinned model, and what parameters of both have in common.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.storage.files import hash_file, write_text
from sbitune.fitting.bridges.pyhf_counts import write_counts_workspace
from sbitune.fitting.likelihood.histfactory.channel import Channel, Sample
from sbitune.fitting.likelihood.histfactory.model import HistFactory, Setting
from sbitune.fitting.likelihood.histfactory.modifiers import HistoSys, Modifier, NormFactor, NormSys, StatError
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.ratios.card import EVENTS
from sbitune.ratios.export.discriminant import Discriminant, EventRegion, counts_in, find_discriminant, regions_of
from sbitune.ratios.mixture.model import Mixture
from sbitune.ratios.mixture.responses import Response
from sbitune.ratios.stages.fitstage import FittedRatios
from sbitune.ratios.stages.fitting import ASIMOV
from sbitune.ratios.stages.problem import data_of, terms_of_counts
from sbitune.ratios.stages.training import ratios_product
from sbitune.workflow.cardfit import CardFit, ExportOptions

#: the error of simulated events
SIMULATED = "simulated_events"
#: nuisances are looked for within so many errors of their measurements
_REACH = 5.0
#: bins of a workspace, if their number is not said
_BINS = 12


def export_fit(found: CardFit, to: str, output: Path, options: ExportOptions) -> dict[str, Any]:
    """Write a workspace and what stands beside it, for `sbitune export`. Gives figures. Raises as `binned_problem`."""
    if options.components is not None:
        raise InputError(f"{found.title}: --components are those of bins of a tune; events have none")
    fitted: FittedRatios = found.details
    interest = interest_of(fitted)
    problem, discriminants = binned_problem(fitted, interest, options.observable, options.bins or _BINS)
    discriminant = discriminants[EVENTS]
    write_counts_workspace(output, problem, interest)
    beside = output.with_name(f"{output.stem}.unbinned.json")
    write_text(beside, json.dumps(_unbinned(fitted, discriminants, output), indent=1, allow_nan=False) + "\n")
    return {
        "interest": interest,
        "discriminant": discriminant.name,
        "bins": len(discriminant.edges) + 1,
        "unbinned": str(beside),
    }


def interest_of(fitted: FittedRatios) -> str:
    """The first parameter that scales a sample. Raises `InputError` if none does."""
    scales = {process.scale for process in fitted.trained.mixture.processes}
    for name in fitted.loaded.card.parameters:
        if name in scales:
            return name
    raise InputError(
        f"{fitted.loaded.path}: no parameter scales a sample; a workspace needs a strength, `scale: mu` of a sample",
        code="workspace-interest",
    )


def binned_problem(
    fitted: FittedRatios, interest: str, column: str | None = None, bins: int = _BINS
) -> tuple[Product, dict[str, Discriminant]]:
    """The fit of the card's data in bins of a discriminant, which is given, too, for every region of events.

    Args:
        fitted: the fit of the card.
        interest: the strength whose signal is told from the rest.
        column: in which events are binned; by default the log ratio.
        bins: how many; fewer where values of the discriminant repeat.

    Raises:
        InputError: for fewer than two bins, a template below 0, a scale that others have measured, a column that there
            is not, counted bins that move with a parameter measured as other than 0 +- 1.
    """
    if bins < 2:
        raise InputError(f"a workspace needs two bins or more, not {bins}")
    card, counted, regions = fitted.loaded.card, fitted.loaded.counted, regions_of(fitted)
    scales = {process.scale for region in regions for process in region.mixture.processes} | counted.scales
    for name, p in card.parameters.items():
        if name in scales and p.measured is not None:
            raise InputError(
                f"{fitted.loaded.place('parameters', name)}: {name} scales a sample and is measured by others, which a "
                "normfactor cannot be; take one of both away",
                code="workspace-term",
            )
    if not fitted.problem.is_likelihood:
        raise InputError(
            f"{fitted.loaded.place('weighted_data')}: a workspace counts events, and the data have weights; count them "
            "unweighted, or leave the weights out",
            code="workspace-term",
        )
    _check_units(fitted)
    channels, observed, discriminants = list(counted.channels), dict(_counts_of(fitted)), dict[str, Discriminant]()
    for region in regions:
        discriminant = find_discriminant(region, interest, column, bins)
        samples = [_sample(fitted, region, i, discriminant) for i in range(len(region.mixture.processes))]
        channels.append(Channel(region.name, samples))
        observed[region.name] = counts_in(discriminant.edges, discriminant.data, discriminant.counts)
        discriminants[region.name] = discriminant
    known = {modifier.name for channel in channels for sample in channel.samples for modifier in sample.modifiers}
    settings = {name: one for name, one in _settings(fitted).items() if name in known}
    found = HistFactory(channels, {**counted.settings, **settings}).product(observed)
    fixed = {name: _alpha(fitted, name, value) for name, value in fitted.problem.fixed.items() if name in known}
    parameters = [_ranged(p, fitted) for p in found.parameters]
    return Product(found.terms, parameters, None, fixed), discriminants


def _check_units(fitted: FittedRatios) -> None:
    """Refuse counted bins whose parameter has another unit in a workspace than in the card."""
    own = fitted.loaded.card.parameters
    for name in fitted.loaded.counted.names:
        if name in own and (measured := own[name].measured) is not None and (measured.value, measured.error) != (0, 1):
            raise InputError(
                f"{fitted.loaded.place('parameters', name)}: {name} is measured as {measured.value:g} +- "
                f"{measured.error:g}, and a workspace has what moves counted bins as 0 +- 1; scale the parameter",
                code="workspace-term",
            )


def _counts_of(fitted: FittedRatios) -> dict[str, np.ndarray]:
    """Counts of the counted regions: those of the fit, which are expected ones where there are no data."""
    return {name: np.asarray(data_of(fitted.problem, name)) for name in terms_of_counts(fitted.problem)}


def _sample(fitted: FittedRatios, region: EventRegion, i: int, discriminant: Discriminant) -> Sample:
    """A process with its modifiers."""
    mixture, nominal = region.mixture, _measured(fitted)
    process = mixture.processes[i]
    rows = np.flatnonzero(mixture.held.sample == i)
    values = discriminant.held[rows]
    weights = mixture.held.weights[rows]
    weights = weights * process.expected / weights.sum()
    responses = [response for response in mixture.responses if response.sample == process.name]
    central = weights * _response(mixture, i, rows, responses, nominal) * _rates(responses, nominal)
    template = counts_in(discriminant.edges, values, central)
    if np.any(template < 0):
        raise InputError(
            f"sample {process.name}: bin {int(np.argmin(template))} of {discriminant.name} has {template.min():.3g} "
            "events, as weights are negative; take fewer bins",
            code="workspace-term",
        )
    modifiers: list[Modifier] = [] if process.scale is None else [NormFactor(process.scale)]
    for response in responses:
        name = response.nuisance
        moved = [nominal | {name: _theta(fitted, name, side)} for side in (-1, 1)]
        shapes = [
            counts_in(discriminant.edges, values, weights * _response(mixture, i, rows, responses, at)) for at in moved
        ]
        down, up = (shape * template.sum() / shape.sum() for shape in shapes)
        if not np.array_equal(down, up):
            modifiers.append(HistoSys(name, up=up, down=down))
        low, high = (_rates(responses, at) / _rates(responses, nominal) for at in moved)
        if low != high:
            modifiers.append(NormSys(name, up=high, down=low))
    errors = np.sqrt(counts_in(discriminant.edges, values, central**2))
    simulated = SIMULATED if region.name == EVENTS else f"{SIMULATED}_{region.name}"
    return Sample(process.name, template, [*modifiers, StatError(simulated, errors)])


def _response(
    mixture: Mixture, i: int, rows: np.ndarray, responses: list[Response], theta: dict[str, float]
) -> np.ndarray:
    """(n_rows,) p(x | nu) / p(x | 0) of a process at parameters, normalised."""
    log = -np.asarray(mixture.normalisations[i].log_mean(theta), float) * np.ones(len(rows))
    for response in responses:
        numbers = response.coefficients(mixture.held.x[rows]).T.astype(float)
        log = log + np.asarray(response.log_response(theta[response.nuisance], numbers), float)
    return np.exp(log)


def _rates(responses: list[Response], theta: dict[str, float]) -> float:
    """Expected number over that at 0."""
    return float(np.exp(sum(np.asarray(r.log_rate(theta[r.nuisance]), float) for r in responses)))


def _measured(fitted: FittedRatios) -> dict[str, float]:
    """Parameters where their auxiliary measurements are, else nominal."""
    card = fitted.loaded.card
    known = {name: p.measured.value for name, p in card.parameters.items() if p.measured is not None}
    return fitted.loaded.nominal | known


def _theta(fitted: FittedRatios, name: str, alpha: float) -> float:
    own = fitted.loaded.card.parameters.get(name)
    return alpha if own is None or own.measured is None else own.measured.value + alpha * own.measured.error


def _alpha(fitted: FittedRatios, name: str, theta: float) -> float:
    own = fitted.loaded.card.parameters.get(name)
    return theta if own is None or own.measured is None else (theta - own.measured.value) / own.measured.error


def _settings(fitted: FittedRatios) -> dict[str, Setting]:
    """Auxiliary measurements as the data of the fit have them: of Asimov data they are the nominal parameters."""
    problem, found = fitted.problem, {}
    for term, data in zip(problem.terms, problem.data, strict=True):
        if isinstance(term, Constraint):
            found[term.parameter] = Setting(measured=(_alpha(fitted, term.parameter, float(data)),))
    return found


def _ranged(p: Parameter, fitted: FittedRatios) -> Parameter:
    """A parameter of the workspace with the range and default of the card."""
    card, names = fitted.loaded.card, fitted.loaded.card.parameters
    if p.name not in names:
        return p
    low, high = card.fit.limits.get(p.name, (names[p.name].low, names[p.name].high))
    low, high = _alpha(fitted, p.name, low), _alpha(fitted, p.name, high)
    if names[p.name].measured is not None:
        low, high = max(low, -_REACH), min(high, _REACH)
    nominal = min(max(_alpha(fitted, p.name, fitted.loaded.nominal[p.name]), low), high)
    return Parameter(p.name, low, high, nominal, p.unit)


def _unbinned(fitted: FittedRatios, discriminants: dict[str, Discriminant], output: Path) -> dict[str, Any]:
    """What the workspace leaves out: where the unbinned model is, and how its parameters are those of the workspace.

    Files are named as seen from the workspace.
    """

    def named(path: Path) -> str:
        return Path(os.path.relpath(path.resolve(), output.resolve().parent)).as_posix()

    parameters = {
        name: {"value_at_0": _theta(fitted, name, 0.0), "value_at_1": _theta(fitted, name, 1.0)}
        for name in fitted.loaded.card.parameters
    }
    rows = {one.name: _unbinned_region(one, discriminants[one.name], named) for one in regions_of(fitted)}
    own = rows.pop(EVENTS)
    return {
        "what": "unbinned model of which the workspace is the binned form",
        "workspace": {"file": output.name, "hash": hash_file(output)},
        "card": named(fitted.loaded.path),
        **own,
        "parameters": parameters,
    } | ({"regions": rows} if rows else {})


def _unbinned_region(region: EventRegion, discriminant: Discriminant, named: Callable[[Path], str]) -> dict[str, Any]:
    model = ratios_product(region.loaded).path
    return {
        "model": {"file": named(model), "format": "sbitune mixture of events", "hash": hash_file(model)},
        "data": region.loaded.card.data or ASIMOV,
        "columns": list(region.mixture.columns),
        "discriminant": discriminant.name,
        "edges": discriminant.edges.tolist(),
    }
