r"""NRE: the ratio r(theta, x) = p(x | theta) / p(x), by telling simulated pairs from shuffled ones.

Of K thetas of other pairs and x, a network says which theta made x, or none of them,

    p(k | x) = gamma r_k / (K + gamma sum_j r_j),   p(none | x) = K / (K + gamma sum_j r_j),

whose cross entropy has its minimum at r and nowhere else; what a choice among thetas alone leaves open, a function of
x, the class `none` decides, so that the mean of r over independent pairs is 1 (B. K. Miller, C. Weniger, P. Forre,
"Contrastive Neural Ratio Estimation", arXiv:2210.06170). The thetas are those of the other pairs of a block of K + 1
rows of the batch, each block a matrix of all x with all theta.

Why a plain classifier fails where posteriors are narrow. On `two_moons` of the sbibm suite (a crescent .01 wide in a
range of 2; 10,000 simulations) a network of 3 x 128 units on (theta, x), trained with eight shuffled thetas a pair, has
C2ST .84 with the binary loss and .76 with the choice among the nine, from 10,000 samples. A shuffled theta lies on the
crescent once in 160 times there, so nearly all are told at a glance, and few teach the shape. But more of them are no
cure (63 a pair: .77; 255, by a dot product of networks of theta and of x: .78). What costs most is that a smooth
function of (theta, x) must change within a hundredth of its range all along a curve: gradient descent learns that last,
and Fourier features of both let it learn the noise first (.80).

The cure is to compare like with like. Networks of x and of theta, each with a linear path around it, give numbers of
which the *differences* d are formed, so that the curve is where d = 0, wherever that is; and the last network is shown
d at several scales, asinh(g d) with g of 1, 4 and 16, which widens the neighbourhood of 0. The same simulations give
.51. As the networks of theta and x alone run once for each row, a block of 64 x 64 pairs costs a small network each.

Differences of theta and its best linear estimate come first, and squares of all and of theta enter log r by themselves.
With a Gaussian prior networks start as the best linear Gaussian model,

    log r = -sum_k d_k^2 / 2 + sum_i z_i^2 / 2 - log det L,    d = L^-1 (z - shift - slope x),

and stay there where training does not lower the validation loss: in ten dimensions (`gaussian_linear`) the noise of
networks that do not moves means by .4 widths.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sbitune.learning.flows import fit_linear_gaussian
from sbitune.learning.initial import host_keys, kernel_init, repeat_constant
from sbitune.learning.keys import Keys
from sbitune.learning.networks import Network, build_mlp, with_zero_output
from sbitune.ratios.posteriors.methods.method import Pairs
from sbitune.ratios.posteriors.prior import Prior

#: scales at which differences are shown: each four times finer than the one before
_GAINS = (1.0, 4.0, 16.0)


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["of_x", "of_theta", "linear_x", "linear_theta", "squares", "own_squares", "shift", "head"],
    meta_fields=[],
)
@dataclass(frozen=True)
class Ratio:
    """Log r of differences, see the module. A pytree."""

    of_x: Network  #: scaled x to (m,)
    of_theta: Network  #: unit theta to (m,)
    linear_x: Any  #: (n_columns, m)
    linear_theta: Any  #: (n_parameters, m)
    squares: Any  #: (m,) of the differences' squares in log r
    own_squares: Any  #: (n_parameters,) of the squares of unit theta
    shift: Any  #: (m + 1,) what is added to the differences, and to log r
    head: Network  #: differences at all scales to (1,)

    def prepare(self, x: Any) -> Any:
        """What depends on scaled x (..., n_columns) alone: (..., m)."""
        return self.of_x(x) + x @ self.linear_x + self.shift[:-1]

    def embed(self, unit: Any) -> Any:
        """What depends on unit theta (..., n_parameters) alone: (..., m + 1)."""
        own = unit**2 @ self.own_squares + self.shift[-1]
        return jnp.concatenate([self.of_theta(unit) + unit @ self.linear_theta, own[..., None]], axis=-1)

    def combine(self, embedded: Any, prepared: Any) -> Any:
        """Log r (...,) of both, whose leading axes broadcast."""
        d = prepared - embedded[..., :-1]
        shown = [jnp.arcsinh(gain * d) for gain in _GAINS]
        return self.head(jnp.concatenate([d, *shown], axis=-1))[..., 0] - d**2 @ self.squares + embedded[..., -1]


@dataclass(frozen=True)
class Contrastive:
    """NRE-C, see the module."""

    choices: int  #: K, at most
    gamma: float

    def __call__(self, network: Ratio, batch: dict[str, Any], key: jax.Array) -> jax.Array:
        """(n,)"""
        n = len(batch["x"])
        size = block_size(n, self.choices + 1)
        prepared, embedded = (
            part.reshape(-1, size, part.shape[-1])
            for part in (network.prepare(batch["x"]), network.embed(batch["unit"]))
        )
        log_r = network.combine(embedded[:, None], prepared[:, :, None])  # (block, x, theta)
        mine = jnp.diagonal(log_r, axis1=1, axis2=2)
        own = jnp.eye(size, dtype=bool)
        none = jax.nn.logsumexp(jnp.where(own, -jnp.inf, log_r), axis=-1)
        # the pair and K - 1 others: as many as where there is none
        one = jax.nn.logsumexp(jnp.where(jnp.roll(own, 1, axis=1), -jnp.inf, log_r), axis=-1)
        odds = np.log(self.gamma / (size - 1))
        of_none = jax.nn.softplus(none + odds)
        of_one = jax.nn.softplus(one + odds) - mine - odds
        return ((of_none + self.gamma * of_one) / (1 + self.gamma)).reshape(n)


class RatioMethod:
    """NRE."""

    name, posterior, normalised = "nre", False, True
    sample = None  # a ratio is sampled with its prior

    def build(self, keys: jax.Array | Keys, config: Any, prior: Prior, n_columns: int, pairs: Pairs | None) -> Ratio:
        """See `Method`."""
        given = host_keys(keys)
        keys_x, keys_theta, linear_x, linear_theta, keys_head = (given.fold(i) for i in range(5))
        d = len(prior.names)
        m = max(config.differences, d)
        starts = [
            np.array(kernel_init(key, (n, m), np.float32)) for key, n in ((linear_x, n_columns), (linear_theta, d))
        ]
        squares, own, shift = (np.zeros(n, np.float32) for n in (m, d, m + 1))
        networks = [
            build_mlp(keys_x, n_columns, m, config.hidden, config.activation),
            build_mlp(keys_theta, d, m, config.hidden, config.activation),
            build_mlp(keys_head, m * (1 + len(_GAINS)), 1, config.hidden_pair, config.activation),
        ]
        if pairs is not None and not prior.bounded.any():
            linear = fit_linear_gaussian(pairs.unit, np.asarray(pairs.x, np.float64))
            whitened = np.linalg.inv(linear.factor).T
            for start in starts:
                start[...] = 0
            starts[0][..., :d], starts[1][..., :d] = linear.slope @ whitened, whitened
            squares[:d], own[:], shift[:d] = 0.5, 0.5, linear.shift @ whitened
            shift[-1] = -np.log(np.diag(linear.factor)).sum()
            networks = [with_zero_output(network) for network in networks]
        elif pairs is not None:
            # the first differences start as those of theta and its best linear estimate
            design = np.column_stack([pairs.x, np.ones(len(pairs.x))])
            starts[0][..., :d] = np.linalg.lstsq(design, pairs.unit, rcond=None)[0][:-1]
            starts[1][..., :d] = np.eye(d)
        of_x, of_theta, head = networks
        linear_x, linear_theta = map(jax.device_put, starts)
        squares, own, shift = (repeat_constant(given, part) for part in (squares, own, shift))
        return Ratio(of_x, of_theta, linear_x, linear_theta, squares, own, shift, head)

    def events(self, pairs: Pairs) -> dict[str, np.ndarray]:
        """See `Method`."""
        return {"x": pairs.x, "unit": pairs.unit.astype(np.float32)}

    def loss(self, config: Any) -> Any:
        """See `Method`."""
        return Contrastive(config.choices, config.gamma)

    def log_value(self, network: Ratio, real: jax.Array, unit: jax.Array, x: jax.Array) -> jax.Array:
        """See `Method`."""
        return network.combine(network.embed(unit), network.prepare(x))

    def log_unit(self, prior: Prior, scale: np.ndarray, theta: np.ndarray) -> np.ndarray | float:
        """See `Method`: a ratio has no unit."""
        return 0.0


def block_size(n: int, most: int) -> int:
    """The largest divisor of n that is not above `most`."""
    return next(size for size in range(min(n, most), 0, -1) if n % size == 0)
