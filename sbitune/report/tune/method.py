"""How every number of a report was made, in words."""

from sbitune.data.errors import InputError
from sbitune.fitting.likelihood.problem import MOST_BINS
from sbitune.generators.config import PythiaConfig
from sbitune.report.pieces.origins import provenance_table
from sbitune.report.pieces.parts import Items, Paragraph, Section
from sbitune.report.pieces.templates import Part
from sbitune.tuning.stages.fitted import Fitted
from sbitune.tuning.surrogates.choice.choice import NAMED, is_chosen
from sbitune.tuning.surrogates.description import in_words
from sbitune.workflow.runs.tasks import timing


def method_section(fitted: Fitted) -> Section:
    """The section that lets a reader repeat the tune."""
    card, record = fitted.loaded.card, fitted.record
    words = [_scan(fitted), _surrogate(fitted), _fit(fitted)]
    if record.validation is not None:
        v = record.validation
        words.append(
            f"Validation: the generator was run again with {v.events:,} events at the tune and before it, in "
            f"{card.validation.split} runs each with seeds apart from the scan's, merged from their raw histograms. "
            f"chi2 compares these runs with the data, the Monte Carlo errors included. The surrogate at the tune "
            f"differs from the run there by {v.surrogate_pull:.2f} of both errors (rms; 1 is expected), and with their "
            f"covariances by chi2 = {v.surrogate_chi2:.0f} in {v.bins} bins (P = {v.surrogate_p:.2g})."
        )
    citations = sorted({label["Citation"] for label in fitted.reference.labels.values() if "Citation" in label})
    parts: list[Part] = [*map(Paragraph, words), provenance_table(record.provenance)]
    parts += [Paragraph("Measurements:", "quiet"), *([Items(citations)] if citations else [])]
    return Section("made", "How these numbers were made", parts)


def _scan(fitted: Fitted) -> str:
    card = fitted.loaded.card
    if fitted.loaded.stored is not None:
        return (
            f"Scan: none; the surrogate was read from {fitted.loaded.stored.name}. What figures show as the scan is "
            f"this surrogate at {len(fitted.scan.runs)} points spread over its box."
        )
    if card.scan.directory is not None:
        return f"Scan: {len(fitted.scan.runs)} runs, read from {card.scan.directory}."
    spent = timing(fitted.loaded.work / "scan", fitted.scan.runs)
    what = "Pythia" if isinstance(card.generator, PythiaConfig) else "the generator's command"
    words = (
        f"Scan: {what} at {len(fitted.scan.runs)} points ({card.scan.design}, seed {card.scan.seed}) with "
        f"{card.scan.events:,} events each; {spent['cpu_seconds']:.0f} CPU seconds"
    )
    if spent["timed"]:
        per = 1e6 / spent["timed"]
        words += (
            f", of which {spent['generation'] * per:.0f} us an event to generate and {spent['analysis'] * per:.0f} "
        )
        words += "us to fill the histograms"
    return words + "."


def _surrogate(fitted: Fitted) -> str:
    about = fitted.record.surrogate
    try:
        words = f"Surrogate: {in_words(about)}."
    except KeyError as error:
        again = f"run `sbitune fit {fitted.loaded.path}` again"
        raise InputError(f"{fitted.loaded.output('result.yaml')}: surrogate: {error} is missing; {again}") from error
    if "chosen" in about:
        chosen = is_chosen(fitted.loaded.card.surrogate)
        words += f" It was chosen automatically: {about['chosen']}." if chosen else f" Its kind is {NAMED}."
    return words


def _fit(fitted: Fitted) -> str:
    card, record = fitted.loaded.card, fitted.record
    sources = len(fitted.measured.shifts)
    minima = record.minima
    chi2s = sorted(m["chi2"] for m in minima if m["valid"])
    ended = f"converged to chi2 between {chi2s[0]:.2f} and {chi2s[-1]:.2f}" if chi2s else "converged"
    likelihood = fitted.problem.is_likelihood
    return (
        f"Fit: {'-2 log L = chi2 + log det V, ' if likelihood else ''}"
        "chi2 = (surrogate - data) V^-1 (surrogate - data), with V the covariance of the data"
        + (f", {sources} correlated sources of error among them," if sources else "")
        + (" and of the surrogate" if card.fit.surrogate_error else "")
        + (
            ", which moves with the parameters. "
            if likelihood
            else "; with weights other than 1, which multiply the residuals, without the surrogate's errors or for "
            f"more than {MOST_BINS} bins there is no log det V, and V is brought up to date between minimisations. "
        )
        + "MIGRAD with exact gradients from "
        f"{len(minima)} starting points, of which {len(chi2s)} {ended}, with the surrogate's error of the middle of "
        "the box; each that is a minimum of its own was followed with the surrogate's error brought up to date, and "
        "the lowest is the tune. "
        + ("MINOS errors are given beside. " if card.fit.minos else "")
        + "The covariance is that of the exact second derivatives."
    )
