"""Profiles of parameters and contours of pairs, as figures of a page."""

from collections.abc import Sequence

from sbitune.fitting.minimise.profiles import Contour, Profile
from sbitune.fitting.results import Fit
from sbitune.plots.profiles import plot_contours, plot_profile
from sbitune.plots.style import to_svg
from sbitune.report.pieces.parts import Figure


def profile_figure(found: Profile, fit: Fit) -> Figure:
    """The objective minimised over all other parameters."""
    name, i = found.name, fit.names.index(found.name)
    drawing = plot_profile(name, found.points, found.delta, float(fit.values[i]), float(fit.quoted_errors[i]))
    return Figure(to_svg(drawing), f"Profile of {name}; dashed: the parabola of the fit.")


def contours_figure(found: Sequence[Contour], fit: Fit) -> Figure:
    """Contours of one pair around the fit, at least one."""
    names = found[0].names
    these = [fit.names.index(name) for name in names]
    drawn = [(one.coverage, one.points) for one in found]
    drawing = plot_contours(names, drawn, fit.values[these], fit.quoted_errors[these], word="fit")
    return Figure(to_svg(drawing), f"Contours of {names[0]} and {names[1]}, all other parameters fitted.")
