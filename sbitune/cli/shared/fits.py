"""What `profile` and `posterior` do with a problem and its fit, whatever the family."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sbitune.cli.shared.common import Figures

if TYPE_CHECKING:
    from sbitune.fitting.likelihood.protocols import Problem
    from sbitune.fitting.results import Fit
    from sbitune.fitting.sampling.chains import Posterior

#: a profile reaches so many errors to either side
_REACH = 3.0


class Drawn(NamedTuple):
    """A profile or contours."""

    figures: Figures
    head: list[str]  #: of the table
    rows: list[list[Any]]
    picture: Any


def profile_of(problem: "Problem[Any]", fit: "Fit", name: str, n: int, ends: tuple[float, float] | None) -> Drawn:
    """The objective minimised over all other parameters, with one at `n` points.

    Raises `InputError` for a parameter that is not free, and ends outside of its limits.
    """
    import numpy as np

    from sbitune.data.errors import InputError
    from sbitune.fitting.minimise.profiles import profile
    from sbitune.plots.profiles import plot_profile

    if name not in fit.free:
        raise InputError(f"{name} is no free parameter of the fit ({', '.join(fit.free)})")
    i = fit.names.index(name)
    value, error, parameter = fit.values[i], fit.quoted_errors[i], fit.parameters[i]
    low, high = problem.limits.get(name, (parameter.low, parameter.high))
    reach = _REACH * error if error > 0 else high - low
    first, last = ends or (max(low, value - reach), min(high, value + reach))
    if not low <= first < last <= high:
        raise InputError(f"--range {first:g} {last:g}: choose ends within {low:g} and {high:g}")
    found = profile(problem, fit, name, np.linspace(first, last, n))
    rows = [
        [*row, *others] for *row, others in zip(found.points.tolist(), found.delta.tolist(), found.values, strict=True)
    ]
    names = [f"{other}_at_minimum" if other == name else other for other in fit.names]
    figures = {
        "parameter": name,
        "value": float(value),
        "error": float(error),
        "profile": {f"{x:.6g}": float(d) for x, d in zip(found.points, found.delta, strict=True)},
        "others_at_limit": int(found.at_limit.any(axis=1).sum()),
        "notes": list(found.notes),
    }
    picture = plot_profile(name, found.points, found.delta, value, error)
    return Drawn(figures, [name, "delta", *names], rows, picture)


def contours_of(problem: "Problem[Any]", fit: "Fit", names: tuple[str, str], n: int, word: str) -> Drawn:
    """The contours of two parameters that hold 68 and 95 %, with `n` points on each; `word` is what the fit is
    called.
    """
    from sbitune.fitting.minimise.profiles import contour
    from sbitune.plots.profiles import plot_contours

    found = contour(problem, fit, names, n=n)
    these = [fit.names.index(name) for name in names]
    rows = [
        [one.coverage, *point, end]
        for one in found
        for point, end in zip(one.points.tolist(), one.at_limit, strict=True)
    ]
    about = {
        f"{one.coverage:g}": {
            "delta": one.delta,
            "low": one.points.min(axis=0).tolist(),
            "high": one.points.max(axis=0).tolist(),
            "points_at_limit": int(one.at_limit.sum()),
        }
        for one in found
    }
    picture = plot_contours(
        names, [(one.coverage, one.points) for one in found], fit.values[these], fit.quoted_errors[these], word
    )
    figures = {"parameters": list(names), "contours": about, "notes": []}
    return Drawn(figures, ["coverage", *names, "at_limit"], rows, picture)


def write_drawn(place: str, drawn: Drawn) -> None:
    """Write the picture (.svg) or the table."""
    from sbitune.data.storage.files import write_text
    from sbitune.plots.style import to_svg

    write_text(place, to_svg(drawn.picture) + "\n" if place.endswith(".svg") else _table(drawn.head, drawn.rows))


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow(head)
    table.writerows([f"{x:.10g}" if isinstance(x, float) else x for x in row] for row in rows)
    return stream.getvalue()


def posterior_rows(posterior: "Posterior", fit: "Fit") -> dict[str, dict[str, Any]]:
    """What the posterior says of every free parameter, beside the fit."""
    from sbitune.report.pieces.posterior import half_widths

    ratios = half_widths(posterior, fit)
    rows = {}
    for i, name in enumerate(posterior.names):
        if name not in ratios:
            continue
        low, high = posterior.intervals()[i]
        rows[name] = {
            "mean": float(posterior.mean[i]),
            "sd": float(posterior.errors[i]),
            "low68": float(low),
            "high68": float(high),
            "r_hat": float(posterior.diagnoses[name].r_hat),
            "ess": float(posterior.diagnoses[name].ess),
            "half_width_ratio": ratios[name],
        }
    return rows
