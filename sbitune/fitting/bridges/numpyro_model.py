"""A likelihood as a model of numpyro, for its samplers, its effects handlers and models around it.

D. Phan, N. Pradhan, M. Jankowiak, arXiv:1912.11554. Free parameters are sample sites, uniform in their ranges; every
term, auxiliary measurements among them, is a factor of its name. Run it in double precision:

    with double_precision():
        mcmc = MCMC(NUTS(numpyro_model(problem)), num_warmup=500, num_samples=1000)
        mcmc.run(jax.random.key(1))
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.fitting.likelihood.precision import require_double_precision
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.sampling.target import import_numpyro


def numpyro_model(problem: Product) -> Callable[[], dict[str, Any]]:
    """A function without arguments that numpyro traces; it gives the parameters by name, fixed ones included.

    Called outside of `double_precision` it raises `RuntimeError`: events of a likelihood are too many for single.
    """
    numpyro = import_numpyro()
    frame = problem.frame()
    low, high = frame.to_theta(frame.limits.T)
    fixed = frame.to_theta(frame.centre)

    def model() -> dict[str, Any]:
        require_double_precision()
        given: dict[str, Any] = {}
        for i, name in enumerate(frame.names):
            if frame.fixed[i]:
                given[name] = jnp.asarray(fixed[i])
            else:
                given[name] = numpyro.sample(name, numpyro.distributions.Uniform(low[i], high[i]))
        for term, data in zip(problem.terms, problem.data, strict=True):
            arrays = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)), data)
            numpyro.factor(term.name, -0.5 * term.minus_two_log(given, arrays))
        return given

    return model
