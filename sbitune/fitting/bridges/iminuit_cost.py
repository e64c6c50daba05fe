"""A likelihood as a cost function of iminuit, for its users' own fits: alone, or added to costs of theirs.

H. Dembinski et al., iminuit, doi:10.5281/zenodo.3949207. A sum with other costs shares parameters by name.

    cost = ProductCost(problem)
    m = Minuit(cost + iminuit.cost.NormalConstraint("nu", 0.2, 0.5), **cost.start)
    m.migrad(); m.hesse()

Errors of a fit are roots of the diagonal of `m.covariance`. `m.errors` of parameters with limits are something else in
MINUIT: half of how far its own coordinate moves the parameter to either side, which is less near an end of the range.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from iminuit.cost import Cost

from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.unbinned import UnbinnedEvents


class ProductCost(Cost):
    """-2 log L of a product of terms, of its free parameters in their units; errors are where it has risen by 1.

    Gradients are exact. It computes in double precision, whatever JAX is set to outside.

    Args:
        problem: the fit; fixed parameters stay where it has them.
        verbose: 1 prints every call.
    """

    def __init__(self, problem: Product, verbose: int = 0) -> None:
        self.problem, self._frame = problem, problem.frame()
        self._free = np.flatnonzero(~self._frame.fixed)
        ends = self._frame.to_theta(self._frame.limits.T)
        limits = {self._frame.names[i]: (float(ends[0, i]), float(ends[1, i])) for i in self._free}
        super().__init__(limits, verbose)  # pyright: ignore[reportArgumentType]
        with problem.computing():
            self._data = jax.tree.map(jnp.asarray, problem.data)

    @property
    def start(self) -> dict[str, float]:
        """Where a fit may begin: parameter -> its default, or the middle of its range."""
        known = {p.name: p.default for p in self.problem.parameters}
        found = {}
        for name, (low, high) in self._parameters.items():  # pyright: ignore[reportGeneralTypeIssues]
            default = known[name]
            found[name] = (low + high) / 2 if default is None else min(max(default, low), high)
        return found

    def _u(self, args: Sequence[float]) -> Any:
        u = np.array(self._frame.centre)
        u[self._free] = self._frame.to_unit(self._place(args))[self._free]
        return jnp.asarray(u)

    def _place(self, args: Sequence[float]) -> np.ndarray:
        theta = np.array(self._frame.to_theta(self._frame.centre))
        theta[self._free] = np.asarray(args, float)
        return theta

    def _value(self, args: Sequence[float]) -> float:
        with self.problem.computing():
            return float(np.sum(self.problem.compiled.each(self._u(args), self._data)))

    def _grad(self, args: Sequence[float]) -> np.ndarray:
        with self.problem.computing():
            slopes = np.asarray(self.problem.compiled.gradient(self._u(args), self._data))
        return (slopes / self._frame.half)[self._free]

    def _has_grad(self) -> bool:
        return True

    def _ndata(self) -> float:
        """Numbers that were measured; infinite with events that are not binned, as iminuit has it."""
        if any(isinstance(term, UnbinnedEvents) for term in self.problem.terms):
            return np.inf
        return sum(np.size(leaf) for leaf in jax.tree.leaves(self.problem.data))
