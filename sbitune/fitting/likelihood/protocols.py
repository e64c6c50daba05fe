"""What is fitted, as the minimiser, MINOS, profiles, contours, toys, coverage, goodness and NUTS see it.

A `Problem` is a fit to be made: parameters, limits, data. Its `Objective` is what is minimised as a function of scaled
coordinates u (see `frame`): -2 log L, or a chi2 in which something is held while it is minimised, and brought up to
date between minimisations. A model of bins is no more than a prediction for every bin, see `BinnedModel`.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, Self, TypeVar

import jax
import numpy as np

from sbitune.data.bins import Bins
from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.frame import Frame
from sbitune.fitting.results import Fit

#: data sets: what has a length and slices, such as an array (n, n_bins), or a list of what a product of terms throws
DataSets = Any


class Point(Protocol):
    """An objective at a point; each kind of objective keeps with it what its derivatives need."""

    @property
    def u(self) -> np.ndarray:
        """(n_parameters,) scaled coordinates."""
        ...

    @property
    def value(self) -> float:
        """The objective."""
        ...

    @property
    def held(self) -> Any:
        """What was held, there or elsewhere; None if nothing is."""
        ...


P = TypeVar("P", bound=Point)


class PartMoments(NamedTuple):
    """What the statistic of a part of the data amounts to if the model is true, at a minimum."""

    mean: float
    variance: float
    is_exact: bool  #: whether, with these, it is distributed as a scaled chi2


class OverData(NamedTuple):
    """An objective as a function of data, too, that JAX can trace: for fits of thousands of toys at once."""

    each: Callable[[Any, Any], Any]  #: from u (n_parameters,) and a data set to the parts (n_parts,), which add up
    programs: dict[str, Any]  #: what was compiled of it, for others to find again


class Objective(Protocol[P]):
    """A function of u (n_parameters,) to be minimised. Use it inside `double_precision`."""

    @property
    def frame(self) -> Frame:
        """The coordinates."""
        ...

    @property
    def is_likelihood(self) -> bool:
        """Whether it is -2 log L, of which a rise by 1 is a standard error, with nothing held unless that is asked
        for; else only the sandwich of `errors` says what a rise means.
        """
        ...

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts of the data, observables say, in the order of `statistic`."""
        ...

    def hold(self, u: np.ndarray) -> Any:
        """What a minimisation may hold, at u; None if there is no such thing."""
        ...

    def hold_for_toys(self, u: np.ndarray) -> Any:
        """What fits of all toys thrown at u hold, where that is good to second order and much faster; else None."""
        ...

    def remember(self, u: np.ndarray) -> Any:
        """What does not depend on the data is kept for u, where many fits of other data will begin; as `hold`."""
        ...

    def point(self, u: np.ndarray, held: Any = None) -> P:
        """The objective at u, with `held` or what belongs there. Raises `ComputationError` if it is not finite."""
        ...

    def gradient(self, point: P) -> np.ndarray:
        """(n_parameters,) first derivatives, with what the point holds."""
        ...

    def information(self, point: P) -> np.ndarray:
        """(n_parameters, n_parameters) half the second derivatives, or an approximation that is positive where the data
        determine the parameters.
        """
        ...

    def hessian(self, point: P, central: bool = True) -> np.ndarray:
        """(n_parameters, n_parameters) second derivatives; differences may be taken to one side only."""
        ...

    def scatter(self, point: P) -> np.ndarray:
        """(n_parameters, n_parameters) covariance of half the first derivatives; needed where it is no likelihood."""
        ...

    def statistic(self, point: P) -> np.ndarray:
        """(n_parts,) how well each part is described, lower is better: chi2, or -2 log L."""
        ...

    def moments(self, point: P) -> tuple[PartMoments, ...] | None:
        """Moments of all parts together and of each in the asymptotic limit, at a minimum; None if not known."""
        ...

    def traceable(self, held: Any) -> Callable[[Any], Any]:
        """The objective as a function of u that JAX can trace, up to a constant."""
        ...

    @property
    def over_data(self) -> OverData | None:
        """The objective of any data, if data are arrays that JAX can trace, and nothing is held; else None."""
        ...

    def values(self, u: np.ndarray) -> np.ndarray:
        """(n,) -2 log L at points u (n, n_parameters), infinite or NaN where it is not finite, up to a constant."""
        ...

    def draw(self, key: jax.Array, u: np.ndarray, n: int) -> DataSets:
        """N data sets that the model throws at u."""
        ...

    def refit(self, data: Any) -> Self:
        """The same for other data, sharing whatever was compiled or remembered."""
        ...


F_co = TypeVar("F_co", bound=Fit, covariant=True)


class Problem(Protocol[F_co]):
    """A fit to be made."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters, fixed ones included."""
        ...

    @property
    def limits(self) -> Mapping[str, tuple[float, float]]:
        """Ranges narrower than those of the parameters, by name."""
        ...

    @property
    def ndf(self) -> int:
        """Degrees of freedom of its statistic, for bins those that the free parameters leave; 1 if it has none."""
        ...

    def frame(self) -> Frame:
        """Its coordinates. Raises `InputError` as `Frame` does, and if there are too few data for the parameters."""
        ...

    def computing(self) -> AbstractContextManager[None]:
        """The context in which its objective computes, see `precision`."""
        ...

    def objective(self) -> Objective[Any]:
        """What is minimised."""
        ...

    def need_posterior(self) -> None:
        """Raise `InputError` if there is no likelihood, and therefore no posterior."""
        ...

    def with_data(self, data: Any) -> Self:
        """The same fit of other data."""
        ...

    def data_sets(self, data: Any) -> DataSets:
        """Data sets of toys, checked. Raises `InputError` if they are none."""
        ...

    def describe_fit(self, fit: Fit, point: Any) -> F_co:
        """The result of this kind of problem, from the objective's point at the minimum."""
        ...


class Prediction(NamedTuple):
    """What a model says at one point (or at n points: then with a leading axis)."""

    mean: Any  #: (n_bins,) expected content of every bin, in the unit of the histogram
    error: Any  #: (n_bins,) one standard deviation of the model's own uncertainty of `mean`


class BinnedModel(Protocol):
    """A model of every bin as a function of the parameters."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, in the order of `theta`, with the box in which the model was trained."""
        ...

    @property
    def bins(self) -> Bins:
        """The bins that `predict` answers for."""
        ...

    def predict(self, theta: Any) -> Prediction:
        """Predict every bin at `theta` (n_parameters,), in the generator's units.

        Can be traced by `jax.jit`, `jax.grad` and `jax.vmap`, and computes in the precision of `theta`.
        """
        ...

    def covariance(self, theta: Any, indices: Any) -> Any:
        """Covariance (n, n) of the errors of the bins `indices` (n,) at `theta` (n_parameters,), as a model knows it.

        Its diagonal is `predict(theta).error[indices]` squared. Can be traced like `predict`.
        """
        ...
