"""Sections of pages that show a fit of any family: parameters, correlations, toys, profiles."""

from dataclasses import replace

import numpy as np
import pytest

from sbitune.data.parameter import Parameter
from sbitune.fitting.minimise.profiles import Contour, Profile
from sbitune.fitting.results import Fit
from sbitune.report.pieces.coverage import goodness_in_words
from sbitune.report.pieces.page import page
from sbitune.report.pieces.parameters import correlations_of, parameters_section, rows_of
from sbitune.report.pieces.parts import Table
from sbitune.report.pieces.profiles import contours_figure, profile_figure

FIT = Fit(
    parameters=(Parameter("mu", 0.0, 3.0), Parameter("nu", -5.0, 5.0, 0.0), Parameter("b", 0.5, 2.0)),
    values=np.array([0.0, 1.25, 1.0]),
    covariance=np.array([[0.01, 0.02, 0.0], [0.02, 0.25, 0.0], [0.0, 0.0, 0.0]]),
    minos={"mu": (0.0, 0.3), "nu": (-0.4, 0.6)},
    minimum=12.0,
    free=("mu", "nu"),
    at_limit=("mu",),
    starts=(),
    edm=0.0,
    calls=1,
    hesse_difference=0.0,
)


def rows_of_table(table: Table) -> list[list[object]]:
    return [[cell.words for cell in row] for row in [table.head, *table.rows]]


def test_the_table_has_what_there_is_and_no_columns_for_what_there_is_not() -> None:
    table, picture = parameters_section(rows_of(FIT, {"nu": (-1.0, 2.0)})).parts
    assert isinstance(table, Table)
    assert rows_of_table(table) == [
        ["parameter", "value", "error", "MINOS", "before", "shift / error", "range", "status"],
        ["mu", "0.00", "", "0.00 / +0.30", "", "", "0 to 3", "at limit"],
        ["nu", "1.25", "± 0.50", "-0.40 / +0.60", "0", "+2.5", "-1 to 2 (limits of the fit)", "free"],
        ["b", "1", "", "", "", "", "0.5 to 2", "fixed"],
    ]
    scaled = [replace(row, scaled_error=2 * row.error) for row in rows_of(FIT)]
    table = parameters_section(scaled).parts[0]
    assert isinstance(table, Table)
    assert rows_of_table(table)[2][2:7] == ["± 0.50", "-0.40 / +0.60", "± 1.00", "0", "+1.2"]
    assert "Parameters inside their ranges." in page("A fit", [picture])


def test_correlations_and_profiles_are_figures_of_the_free_parameters() -> None:
    text = page("A fit", correlations_of(FIT).parts)
    assert FIT.correlation[0, 1] == pytest.approx(0.4)
    assert "0.40" in text
    assert "<!-- b -->" not in text
    x = np.linspace(0, 0.6, 5)
    found = Profile("mu", x, (x / 0.3) ** 2, np.zeros((5, 3)), np.zeros((5, 3), bool), ())
    assert profile_figure(found, FIT).caption.startswith("Profile of mu")
    ring = Contour(("mu", "nu"), 0.68, 2.3, np.array([[0.1, 1.0], [0.2, 1.5], [0.0, 1.6]]), np.zeros(3, bool))
    svg = contours_figure([ring], FIT).svg
    assert "68 %" in svg
    assert "<!-- fit -->" in svg


def test_goodness_by_toys_in_words() -> None:
    figures = {"toys": 99, "p_value": 0.25, "p_error": 0.043, "asymptotic": None}
    thrown = "thrown from the model at the fit, "
    words = "Of 99 toys thrown from the model at the fit, 25.0 +- 4.3 % are described no better than the data are."
    assert goodness_in_words(figures, thrown) == words
    words = goodness_in_words(figures | {"p_value": 0.01, "asymptotic": 0.001}, thrown)
    assert words.endswith(
        "none is described as badly as the data are: P is below 0.01 (by the chi2 distribution: 0.001)."
    )
