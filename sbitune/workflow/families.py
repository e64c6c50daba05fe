"""The method families: where each has its card and its command. What is here is text, imported when it is asked for."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import msgspec

    from sbitune.workflow.cards.cardfile import CardFile
    from sbitune.workflow.cards.yamlfile import Parsed


class Family(NamedTuple):
    """A method family, by what others need of it; functions and classes as `package.module:name`."""

    name: str  #: in cards, and in `sbitune ls card NAME`
    what: str  #: what it does, in a line
    card: str  #: the msgspec Struct of its cards
    load: str  #: reads a card: (file, directory or what was parsed of it) -> `CardFile`
    command: str | None = None  #: its own click command or group, `sbitune NAME`; None: its commands are of the top
    summary: str | None = None  #: what `sbitune ls` says of one of its cards: `CardFile` -> figures
    # what serves the commands that every family may have; those that are missing refuse its cards
    train: str | None = None  #: `sbitune train`: (`CardFile`, reporter) -> figures
    fit: str | None = None  #: `sbitune fit`: (`CardFile`, reporter) -> figures
    infer: str | None = None  #: `sbitune infer`: (`CardFile`, reporter) -> figures, with its page written
    report: str | None = None  #: `sbitune report`: (`CardFile`, reporter) -> figures
    fitted: str | None = None  #: `sbitune profile, posterior, coverage`: (`CardFile`, reporter) -> (problem, fit) or
    #: all of a `sbitune.workflow.cardfit.CardFit`
    plan: str | None = None  #: `sbitune plan`: (`CardFile`, points as text, whether columns, reporter) -> figures
    export: str | None = None  #: `sbitune export`: (`CardFit`, program, path, `ExportOptions`) -> figures
    sampled: str | None = None  #: `sbitune posterior` where that is the result: (`CardFile`, reporter) -> figures
    posterior_written: str | None = None  #: its own files and page of a sampled posterior; see `sbitune posterior`
    coverage_kept: str | None = None  #: told of coverage by toys at the fit: (`CardFit`, `Coverage`) -> None

    @property
    def card_type(self) -> "type[msgspec.Struct]":
        """What stands in its cards."""
        return resolve(self.card)

    def load_card(self, place: "str | Path | Parsed") -> "CardFile[Any]":
        """Read one of its cards. Raises `InputError` naming file, line and key of whatever is wrong with it."""
        return resolve(self.load)(place)

    def summarise(self, loaded: "CardFile[Any]") -> dict[str, Any]:
        """Figures of one of its cards, by their names; none if the family has nothing to say."""
        return {} if self.summary is None else resolve(self.summary)(loaded)

    def stage(self, name: str) -> Callable[..., Any] | None:
        """The function that serves `train`, `fit`, `report` and so on; None if the family has none."""
        reference = getattr(self, name)
        return None if reference is None else resolve(reference)


#: name -> family; `tune` is that of cards which name none
FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "tune",
            "tune a generator to data",
            "sbitune.tuning.card:Card",
            "sbitune.tuning.card:load_card",
            fit="sbitune.tuning.stages.cardfit:fit_card",
            report="sbitune.report.tune.write:report_card",
            fitted="sbitune.tuning.stages.cardfit:card_fit",
            export="sbitune.tuning.stages.cardfit:export_fit",
            posterior_written="sbitune.report.tune.posterior:write_posterior",
            coverage_kept="sbitune.tuning.stages.cardfit:keep",
        ),
        Family(
            "ratios",
            "fit parameters to events by learned likelihood ratios",
            "sbitune.ratios.card:Card",
            "sbitune.ratios.card:load_card",
            summary="sbitune.ratios.stages.pipeline:summary",
            train="sbitune.ratios.stages.pipeline:train_card",
            fit="sbitune.ratios.stages.pipeline:fit_card",
            infer="sbitune.report.ratios.write:infer_card",
            report="sbitune.report.ratios.write:report_card",
            fitted="sbitune.ratios.stages.fitstage:card_fit",
            plan="sbitune.report.ratios.plan:plan_card",
            export="sbitune.ratios.export.workspace:export_fit",
        ),
        Family(
            "parameterised",
            "fit parameters to events by a ratio learned from events at many settings",
            "sbitune.ratios.parameterised.line.card:Card",
            "sbitune.ratios.parameterised.line.card:load_card",
            summary="sbitune.ratios.parameterised.line.pipeline:summary",
            train="sbitune.ratios.parameterised.line.pipeline:train_card",
            fit="sbitune.ratios.parameterised.line.pipeline:fit_card",
            infer="sbitune.report.ratios.write:infer_card",
            report="sbitune.report.ratios.write:report_card",
            fitted="sbitune.ratios.parameterised.line.fitstage:card_fit",
        ),
        Family(
            "posteriors",
            "learn the posterior of an observation from simulations",
            "sbitune.ratios.posteriors.line.card:Card",
            "sbitune.ratios.posteriors.line.card:load_card",
            summary="sbitune.ratios.posteriors.line.pipeline:summary",
            train="sbitune.ratios.posteriors.line.pipeline:train_card",
            fit="sbitune.ratios.posteriors.line.pipeline:sample_card",
            infer="sbitune.report.ratios.posterior:infer_card",
            report="sbitune.report.ratios.posterior:report_card",
            sampled="sbitune.ratios.posteriors.line.pipeline:sample_card",
        ),
    )
}


def register(family: Family) -> None:
    """Add a family. Raises `ValueError` if there is another of its name."""
    if FAMILIES.setdefault(family.name, family) != family:
        raise ValueError(f"a family {family.name} is registered already")


def family_named(name: str) -> Family:
    """The family of a name. Raises `InputError` if there is none."""
    if name not in FAMILIES:
        from sbitune.data.errors import InputError
        from sbitune.data.text.names import nearest
        from sbitune.data.text.numbers import quoted

        raise InputError(f"{quoted(name)}: no such family{nearest(name, FAMILIES)}", code="card-family-unknown")
    return FAMILIES[name]


def resolve(reference: str) -> Any:
    """Import what `package.module:name` names."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
