"""The plan of a card: `plan.yaml`, what is expected at parameters before there are data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.storage.files import hash_bytes
from sbitune.ratios.card import RatiosCardFile
from sbitune.ratios.planning.columns import column_worths
from sbitune.ratios.planning.expected import Expected, asimov_problem, expected_at, parse_point
from sbitune.ratios.stages.training import ratios_product, train_stage
from sbitune.workflow.results.provenance import provenance
from sbitune.workflow.results.records import Format, read_record, write_record

VERSION = 1
_HEAD = "# Written by `sbitune plan`: errors expected before there are data.\n"
FORM = Format(VERSION, "sbitune plan", _HEAD, what="plan")


class PointRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What is expected at parameters."""

    at: dict[str, float]
    errors: dict[str, float]
    """Parameter -> error from the data."""
    ratio_errors: dict[str, float]
    """Parameter -> error from the ratios."""
    information: list[list[float]]
    """(n_free, n_free) of the data, in the order of `errors`: the inverse of the covariance."""
    notes: list[str]


class ColumnRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a column brings, at the first point."""

    column: str
    without: dict[str, float] | None
    """Parameter -> error from the data without it; none if it is the only one."""
    alone: dict[str, float]
    """The same of it alone."""


class PlanRecord(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What is expected before there are data."""

    format: int = VERSION
    title: str
    points: list[PointRecord]
    """The first are nominal parameters, or what was asked for."""
    all_columns: dict[str, float]
    """Parameter -> error from the data of all columns, by the networks that `columns` are found with."""
    columns: list[ColumnRecord]
    provenance: dict[str, Any]


def make_plan(
    loaded: RatiosCardFile, points: Sequence[str] = (), columns: bool = True, reporter: Reporter = QUIET
) -> PlanRecord:
    """Find what is expected; writes `plan.yaml`.

    Args:
        loaded: the card.
        points: parameters as `mu=1.5,nu=0.2`, others nominal; by default all nominal.
        columns: whether to find what each column brings, for which networks are trained.
        reporter: told what is being learned.

    Raises:
        InputError: as `train_stage`, and for points that are none.
        ComputationError: if the data would not determine the parameters.
    """
    wanted = [parse_point(text, loaded) for text in points or [""]]
    trained = train_stage(loaded, reporter)
    problem = asimov_problem(loaded, trained)
    found = [expected_at(loaded, trained, problem, theta) for theta in wanted]
    everything, worths = column_worths(loaded, wanted[0], reporter) if columns else ({}, [])
    hashes = [ratios_product(region).read_note().product for region in loaded.event_regions.values()]
    record = PlanRecord(
        title=loaded.card.title,
        points=[_point(one) for one in found],
        all_columns=everything,
        columns=[ColumnRecord(*worth) for worth in worths],
        provenance=provenance({"card": loaded.path.read_bytes()}, {"card": loaded.card.seed})
        | {"ratios": hash_bytes("".join(hashes).encode())},
    )
    write_record(plan_path(loaded), record, FORM)
    return record


def plan_path(loaded: RatiosCardFile) -> Path:
    """Where the plan of a card lies."""
    return loaded.output("plan.yaml")


def read_plan(loaded: RatiosCardFile) -> PlanRecord:
    """The plan of a card. Raises `InputError` if there is none, or it is not what was written."""
    return read_record(plan_path(loaded), PlanRecord, FORM)


def _point(found: Expected) -> PointRecord:
    return PointRecord(
        found.at, found.errors, found.ratio_errors, found.information.tolist(), list(found.notes)
    )  # fmt: skip
