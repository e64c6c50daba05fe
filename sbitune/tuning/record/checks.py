"""Whether the parts of a `result.yaml` belong together, which their types alone do not tell."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from sbitune.data.errors import InputError, naming_file
from sbitune.data.text.names import check_name, list_names, shorten
from sbitune.tuning.record.parts import AboutRecord, ChoiceRecord, CoverageRecord, SurrogateRecord
from sbitune.tuning.record.types import ParameterRecord, ResultRecord, ValidationRecord

#: figures of a coverage that are not read
_NOT_NEEDED = ("quoted68", "quoted95", "mean_relative_error", "mean_error_of_range", "chi2_per_ndf", "rough",
               "pull_width_error", "failures")  # fmt: skip
_COVERAGE = tuple(key for key in CoverageRecord.__annotations__ if key not in _NOT_NEEDED)


def check_record(record: ResultRecord) -> None:
    """Refuse a result with numbers that are not finite, tables of another size than it has parameters, or parts that
    others speak of and that are missing.

    Raises `InputError` with the key, what was found and what was expected.
    """
    names = list(record.parameters)
    if not names:
        raise InputError("parameters: there is none")
    for name, parameter in record.parameters.items():
        with naming_file(f"parameters.{shorten(name)}"):
            _check_parameter(name, parameter)
    _expect_finite({"chi2": record.chi2, "chi2_unit": record.chi2_unit})
    for key, matrix in (("covariance", record.covariance), ("correlation", record.correlation)):
        _check_matrix(key, matrix, len(names))
    for key, points in (
        ("minima", [start["theta"] for start in record.minima]),
        ("other_minima", [minimum.theta for minimum in record.other_minima]),
    ):
        odd = next((i for i, theta in enumerate(points) if len(theta) != len(names)), None)
        if odd is not None:
            raise InputError(f"{key}[{odd}].theta: {len(points[odd])} numbers for {len(names)} parameters")
    _check_answer(record, names)
    _check_held_out("surrogate", record.choice, record.surrogate, record.closure)
    if record.validation is not None:
        _check_validation(record.validation)


def check_about(about: AboutRecord) -> None:
    """Refuse what was noted of a surrogate if figures of held-out runs are missing, as `check_record` does."""
    _check_held_out("about", about.get("choice", []), about, about.get("closure", {}))


def _check_held_out(
    where: str, choice: Sequence[ChoiceRecord], surrogate: SurrogateRecord, closure: CoverageRecord
) -> None:
    _expect_keys(where, ("held_out_runs",) if choice else (), surrogate)
    _expect_keys("closure", _COVERAGE if closure else (), closure)


def _check_parameter(name: str, p: ParameterRecord) -> None:
    check_name(name)
    numbers = {"value": p.value, "error": p.error, "scaled_error": p.scaled_error, "low": p.low, "high": p.high}
    numbers |= {} if p.default is None else {"default": p.default}
    for key, pair in (("minos", p.minos), ("limits", p.limits)):
        numbers |= {} if pair is None else {f"{key}[{i}]": end for i, end in enumerate(pair)}
    _expect_finite(numbers)
    if not p.low < p.high:
        raise InputError(f"low is {p.low:g} and high {p.high:g}; expected a range")
    if p.error < 0 or p.scaled_error < p.error:
        raise InputError(
            f"error is {p.error:g} and scaled_error {p.scaled_error:g}; expected 0 or more, and no less than error"
        )


def _check_matrix(key: str, rows: Sequence[Sequence[float]], n: int) -> None:
    lengths = [len(row) for row in rows]
    if lengths != [n] * n:
        raise InputError(
            f"{key}: expected {n} rows of {n} numbers, one for each parameter, found rows of {lengths[:5]}"
        )
    if not np.isfinite(np.array(rows)).all():
        raise InputError(f"{key}: a number in it is not finite")


def _check_answer(record: ResultRecord, names: Collection[str]) -> None:
    answer = record.answer
    _expect_keys("answer.near", names, answer.get("near", names))
    if "automatic_weights" in answer:
        _expect_keys("answer.automatic_weights.as_given", names, answer["automatic_weights"]["as_given"])
    if "tension" in answer:
        known = {row["path"] for row in answer["tension"]["observables"] if row["p_given_rest"] is not None}
        _expect_keys("answer.tension.observables", answer["tension"]["in_tension"], known)
        for i, row in enumerate(answer["tension"]["observables"]):
            _expect_keys(f"answer.tension.observables[{i}]", ("moves_by",) if "moves" in row else (), row)
    if "coverage" in answer:
        _expect_keys("answer.coverage", _COVERAGE, answer["coverage"])
    if "goodness" in answer and answer["goodness"]["toys"] < 0:
        raise InputError(f"answer.goodness.toys: {answer['goodness']['toys']} is no number of toys")


def _check_validation(v: ValidationRecord) -> None:
    given = {"chi2_default": v.chi2_default, "chi2_default_error": v.chi2_default_error,
             "weighted_default": v.weighted_default}  # fmt: skip
    beside = {"fit_chi2": v.fit_chi2, "generator_chi2": v.generator_chi2, "chi2_deviations": v.chi2_deviations}
    for group in (given, beside):
        absent = [key for key, number in group.items() if number is None]
        if 0 < len(absent) < len(group):
            raise InputError(f"validation.{absent[0]}: it is missing; give all or none of {', '.join(group)}")
    if v.bins < 1 or v.events < 1:
        raise InputError(f"validation: {v.bins} bins and {v.events} events; expected one at least of either")


def _expect_finite(numbers: dict[str, float]) -> None:
    for key, number in numbers.items():
        if not np.isfinite(number):
            raise InputError(f"{key} is {number}, not a finite number")


def _expect_keys(where: str, wanted: Collection[str], found: Iterable[str]) -> None:
    there = set(found)
    if absent := [key for key in wanted if key not in there]:
        raise InputError(f"{where}: {shorten(absent[0])} is missing; it has {list_names(sorted(there))}")
