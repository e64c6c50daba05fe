"""A likelihood that is a product of terms with parameters shared by name, and its fit.

Derivatives are those of JAX: the second ones exactly, so that nothing is held and nothing learnt from differences.
"""

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import Partial

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.likelihood.batches import in_batches
from sbitune.fitting.likelihood.frame import ROUNDED, Frame
from sbitune.fitting.likelihood.precision import double_precision, require_double_precision
from sbitune.fitting.likelihood.protocols import OverData
from sbitune.fitting.likelihood.terms.term import Named, Term
from sbitune.fitting.results import Fit

#: eigenvalues of a matrix of second derivatives are no smaller than this part of its largest where steps begin
_LEAST = 1e-3


class ProductPoint(NamedTuple):
    """-2 log L at a point; nothing is held."""

    u: np.ndarray  #: (n_parameters,)
    value: float
    held: None = None


class Product:
    """A fit of parameters to all terms together.

    Args:
        terms: the factors.
        parameters: all parameters by name, with the range in which each is looked for.
        limits: name -> narrower range.
        fixed: name -> value that is held.

    Raises:
        InputError: if two terms or parameters have one name, there is none, a term wants a parameter that is not there
            or cannot be computed in the middle of the ranges.
    """

    def __init__(
        self,
        terms: Sequence[Term],
        parameters: Sequence[Parameter],
        limits: dict[str, tuple[float, float]] | None = None,
        fixed: dict[str, float] | None = None,
    ) -> None:
        self.terms, self.parameters = tuple(terms), tuple(parameters)
        self.limits, self.fixed = limits or {}, fixed or {}
        for what, names in (("terms", [t.name for t in terms]), ("parameters", [p.name for p in parameters])):
            twice = {name for name in names if names.count(name) > 1}
            if not names or twice:
                raise InputError(f"{what}: " + (f"{min(twice)} is there twice" if twice else "there are none"))
        self.data: tuple[Any, ...] = tuple(term.data for term in self.terms)
        self._check(self.frame())
        for term in self.terms:
            self._check_ranges(term)

    def _check_ranges(self, term: Term) -> None:
        """Refuse ranges in which a term knows nothing."""
        frame = self.frame()
        for known in getattr(term, "parameters", ()):
            if known.name not in frame.names:
                continue
            i = frame.names.index(known.name)
            ends = frame.to_theta(frame.limits.T)[:, i] if not frame.fixed[i] else [frame.to_theta(frame.centre)[i]] * 2
            slack = ROUNDED * (known.high - known.low)
            if ends[0] < known.low - slack or ends[-1] > known.high + slack:
                raise InputError(
                    f"{term.name}: {known.name} is looked for between {ends[0]:g} and {ends[-1]:g}, and known between "
                    f"{known.low:g} and {known.high:g} only; narrow the range, or learn in a wider one"
                )

    def _check(self, frame: Frame) -> None:
        with self.computing():
            given = named(self.parameters, frame.to_theta(frame.centre))
            for term, data in zip(self.terms, self.data, strict=True):
                try:
                    shape = jax.eval_shape(term.minus_two_log, given, data).shape
                except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError):
                    raise InputError(
                        f"{term.name}: JAX cannot trace it: compute with `jax.numpy` throughout, `jnp.log` for "
                        "`np.log` say, and `jnp.where` for `if`"
                    ) from None
                except KeyError as error:
                    known = ", ".join(frame.names)
                    raise InputError(
                        f"{term.name}: wants the parameter {error}, which is not there ({known})"
                    ) from None
                if shape != ():
                    raise InputError(f"{term.name}: its -2 log L has the shape {shape}; it must be one number")

    @property
    def ndf(self) -> int:
        """1: the statistic of a product has no degrees of freedom of its own."""
        return 1

    def frame(self) -> Frame:
        """Its coordinates."""
        return Frame(self.parameters, self.limits, self.fixed)

    def computing(self) -> AbstractContextManager[None]:
        """The context in which its objective computes."""
        return double_precision()

    @cached_property
    def compiled(self) -> "Compiled":
        """The likelihood and its derivatives, compiled once for all data."""
        return Compiled(self.terms, self.parameters, self.frame())

    def objective(self) -> "ProductObjective":
        """What is minimised. Use it inside `computing`."""
        return ProductObjective(self)

    @property
    def is_likelihood(self) -> bool:
        """Whether it is one: no events of it are weighted."""
        return not any(is_weighted(term) for term in self.terms)

    def need_posterior(self) -> None:
        """Raise `InputError` for weighted events, which have no likelihood."""
        if not self.is_likelihood:
            raise InputError(
                "weighted events have no likelihood to sample: use the errors of the fit, which hold for any weights",
                code="events-weighted-toys",
            )

    def with_data(self, data: tuple[Any, ...]) -> Self:
        """The same fit of other data, one entry for each term, as its `draw` gives them."""
        compiled = self.compiled
        other = copy.copy(self)
        other.data = data
        other.__dict__["compiled"] = compiled
        return other

    def data_sets(self, data: Any) -> list[tuple[Any, ...]]:
        """Data sets of toys. Raises `InputError` if one has not an entry for each term."""
        data = list(data)
        if any(len(one) != len(self.terms) for one in data):
            raise InputError(f"data sets of toys need {len(self.terms)} entries, one for each term")
        return data

    def describe_fit(self, fit: Fit, point: ProductPoint) -> Fit:
        """The fit as it is."""
        return fit


def is_weighted(term: Term) -> bool:
    """Whether a term is one of weighted events."""
    return bool(getattr(term, "is_weighted", False))


def named(parameters: Sequence[Parameter], theta: Any) -> Named:
    """Parameters theta (n_parameters,) by name."""
    return {p.name: theta[i] for i, p in enumerate(parameters)}


class Compiled:
    """-2 log L as functions of (u, data)."""

    def __init__(self, terms: tuple[Term, ...], parameters: tuple[Parameter, ...], frame: Frame) -> None:
        low, half = frame.low, frame.half

        def given_at(u: Any) -> Named:
            return named(parameters, low + (u + 1) * half)

        def each(u: Any, data: Any) -> Any:
            given = given_at(u)
            return jnp.stack([jnp.asarray(t.minus_two_log(given, d)) for t, d in zip(terms, data, strict=True)])

        def total(u: Any, data: Any) -> Any:
            return jnp.sum(each(u, data))

        def total_of(data: Any, u: Any) -> Any:
            return total(u, data)

        def scatter(u: Any, data: Any) -> Any:
            total = jnp.zeros((len(u), len(u)))
            for i, (term, part) in enumerate(zip(terms, data, strict=True)):
                if is_weighted(term):
                    total += term.scatter(given_at, u, part)  # pyright: ignore[reportAttributeAccessIssue]
                else:  # of a likelihood it is the information
                    total += jax.hessian(lambda u, i=i: each(u, data)[i])(u) / 2
            return total

        self.over_data = OverData(each, {})
        self.scatter: Callable[..., Any] = jax.jit(scatter)
        self.each: Callable[..., Any] = jax.jit(each)
        self.total_of: Callable[..., Any] = total_of
        self.gradient: Callable[..., Any] = jax.jit(jax.grad(total))
        self.hessian: Callable[..., Any] = jax.jit(jax.hessian(total))
        self.many: Callable[..., Any] = jax.jit(jax.vmap(total, in_axes=(0, None)))


class ProductObjective:
    """-2 log L of a product as a function of u. Use it inside `double_precision`."""

    def __init__(self, problem: Product) -> None:
        require_double_precision()
        self.is_likelihood: bool = problem.is_likelihood
        self.frame: Frame = problem.frame()
        self.parts: tuple[str, ...] = tuple(term.name for term in problem.terms)
        self._terms, self._parameters, self._compiled = problem.terms, problem.parameters, problem.compiled
        self._data = jax.tree.map(jnp.asarray, problem.data)

    def refit(self, data: tuple[Any, ...]) -> Self:
        """The same for other data."""
        other = copy.copy(self)
        other._data = jax.tree.map(jnp.asarray, data)
        return other

    def hold(self, u: np.ndarray) -> None:
        """Nothing is held."""

    def hold_for_toys(self, u: np.ndarray) -> None:
        """Nothing is held."""

    def remember(self, u: np.ndarray) -> None:
        """Nothing is kept."""

    def point(self, u: np.ndarray, held: None = None) -> ProductPoint:
        """-2 log L at u. Raises `ComputationError` naming the term that is not finite."""
        each = self.statistic(ProductPoint(u, np.nan))
        if not np.isfinite(each).all():
            part = self.parts[int(np.argmin(np.isfinite(each)))]
            raise ComputationError(f"{part}: the likelihood is not finite for {self.frame.describe(u)}")
        return ProductPoint(u, float(each.sum()))

    def gradient(self, point: ProductPoint) -> np.ndarray:
        """(n_parameters,) first derivatives. Raises `ComputationError` if they are not finite."""
        return self._finite(self._compiled.gradient(jnp.asarray(point.u), self._data), point)

    def hessian(self, point: ProductPoint, central: bool = True) -> np.ndarray:
        """(n_parameters, n_parameters) second derivatives, exact."""
        return self._finite(self._compiled.hessian(jnp.asarray(point.u), self._data), point)

    def _finite(self, found: Any, point: ProductPoint) -> np.ndarray:
        if not np.isfinite(found).all():
            raise ComputationError(f"derivatives of the likelihood are not finite for {self.frame.describe(point.u)}")
        return np.asarray(found)

    def information(self, point: ProductPoint) -> np.ndarray:
        """(n_parameters, n_parameters) half the second derivatives; far from a minimum, where they may not be positive,
        with eigenvalues that are.
        """
        values, vectors = np.linalg.eigh(self.hessian(point) / 2)
        return (vectors * np.maximum(np.abs(values), _LEAST * np.abs(values).max())) @ vectors.T

    def scatter(self, point: ProductPoint) -> np.ndarray:
        """That of a likelihood: the information; else that of `terms.weighted`."""
        if self.is_likelihood:
            return self.information(point)
        return self._finite(self._compiled.scatter(jnp.asarray(point.u), self._data), point)

    def statistic(self, point: ProductPoint) -> np.ndarray:
        """(n_terms,) -2 log L of each term."""
        return np.asarray(self._compiled.each(jnp.asarray(point.u), self._data))

    def moments(self, point: ProductPoint) -> None:
        """Not known."""

    def traceable(self, held: None) -> Callable[[Any], Any]:
        """-2 log L; what is compiled with it serves all data of these shapes."""
        return Partial(self._compiled.total_of, self._data)

    @property
    def over_data(self) -> OverData:
        """-2 log L of any data."""
        return self._compiled.over_data

    def values(self, u: np.ndarray) -> np.ndarray:
        """(n,) -2 log L at points u (n, n_parameters)."""
        return in_batches(lambda points: self._compiled.many(points, self._data), u)

    def draw(self, key: jax.Array, u: np.ndarray, n: int) -> list[tuple[Any, ...]]:
        """N data sets, one entry for each term."""
        given = named(self._parameters, jnp.asarray(self.frame.to_theta(u)))
        keys = jax.random.split(key, len(self._terms))
        return list(zip(*(t.draw(one, given, n) for t, one in zip(self._terms, keys, strict=True)), strict=True))
