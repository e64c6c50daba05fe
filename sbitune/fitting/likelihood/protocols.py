"""What the fit needs to know of a model: nothing but a prediction for every bin.

A polynomial, a network and an ensemble satisfy `BinnedModel` alike, so objective, minimiser and plots are written once.
"""

from typing import Any, NamedTuple, Protocol

from sbitune.data.bins import Bins
from sbitune.data.scan import Parameter


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
