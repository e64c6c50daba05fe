"""The verbs of sbi (A. Tejero-Cantero et al., J. Open Source Softw. 5 (2020) 2505), without torch.

inference = NPE(make_prior({"mass": (80, 100)}))
inference.append_simulations(theta, x).train(jax.random.key(1))
posterior = inference.build_posterior()
draws = posterior.sample((1000,), x=observed, key=jax.random.key(2))
"""

import warnings
from collections.abc import Sequence
from typing import Any, Self

import jax
import numpy as np

from sbitune.data.errors import InputError
from sbitune.learning.training import Progress
from sbitune.ratios.posteriors.judgement import LearningWarning
from sbitune.ratios.posteriors.methods.registry import find_kind
from sbitune.ratios.posteriors.model import Model
from sbitune.ratios.posteriors.posterior import Posterior
from sbitune.ratios.posteriors.prior import Prior
from sbitune.ratios.posteriors.rounds import Proposal
from sbitune.ratios.posteriors.simulations import Simulations, check_pairs, join_rounds, name_columns
from sbitune.ratios.posteriors.training import train_model


class Inference:
    """Simulations, and the model that is trained on them."""

    def __init__(self, kind: str, prior: Prior, config: Any = None, columns: Sequence[str] | None = None) -> None:
        """Start without simulations.

        Args:
            kind: npe, nle or nre.
            prior: from `make_prior`.
            config: `DensityConfig` or `RatioConfig`; None: as it is for all.
            columns: names of the columns of x, which messages and files have.
        """
        find_kind(kind)
        self.kind, self.prior, self.config, self.columns = kind, prior, config, columns
        self.rounds: list[Simulations] = []
        self.model: Model | None = None
        self.observation: np.ndarray | None = None

    def append_simulations(self, theta: Any, x: Any, proposal: Proposal | None = None) -> Self:
        """Add pairs of theta (n, n_parameters) and x (n, n_columns).

        Args:
            theta: of the prior, or of the proposal.
            x: simulated with them.
            proposal: what theta were drawn from, if not from the prior, see `propose`; its observation is then that of
                the posterior.

        Raises:
            InputError: as `check_pairs`; theta that are not of the proposal; another observation than before.
        """
        pairs = check_pairs(self.prior, self.columns, theta, x, len(self.rounds))
        if proposal is not None:
            outside = np.flatnonzero(~proposal.contains(pairs.theta))
            if len(outside):
                raise InputError(
                    f"theta, row {outside[0]}: it is not of the proposal, a truncated prior ({len(outside)} of "
                    f"{len(pairs.theta)} rows); give those that it has drawn",
                    code="posterior-outside-prior",
                )
            if self.observation is not None and not np.array_equal(self.observation, proposal.x):
                raise InputError(
                    "rounds were made for another observation; begin anew for this one",
                    code="posterior-other-observation",
                )
            self.observation = proposal.x
        self.columns = name_columns(self.columns, pairs.x.shape[1])
        self.rounds.append(pairs)
        return self

    def train(self, key: jax.Array, *, progress: Progress | None = None) -> Model:
        """Train anew on all simulations. Warns (`LearningWarning`) in words if it did not learn."""
        if not self.rounds:
            raise InputError("there are no simulations: append_simulations first", code="posterior-untrained")
        self.model = train_model(
            key,
            self.kind,
            self.prior,
            join_rounds(self.rounds),
            self.config,
            columns=self.columns,
            observation=self.observation,
            progress=progress,
        )
        for note in self.model.notes:
            warnings.warn(note, LearningWarning, stacklevel=2)
        return self.model

    def build_posterior(self) -> Posterior:
        """The posterior of what was trained last."""
        if self.model is None:
            raise InputError("there is no posterior before training: call train first", code="posterior-untrained")
        return Posterior(self.model)


class NPE(Inference):
    """Neural posterior estimation."""

    def __init__(self, prior: Prior, config: Any = None, columns: Sequence[str] | None = None) -> None:
        super().__init__("npe", prior, config, columns)


class NLE(Inference):
    """Neural likelihood estimation."""

    def __init__(self, prior: Prior, config: Any = None, columns: Sequence[str] | None = None) -> None:
        super().__init__("nle", prior, config, columns)


class NRE(Inference):
    """Neural ratio estimation."""

    def __init__(self, prior: Prior, config: Any = None, columns: Sequence[str] | None = None) -> None:
        super().__init__("nre", prior, config, columns)
