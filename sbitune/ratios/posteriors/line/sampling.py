"""The stage that samples the posterior of the observation: `result.yaml`, `posterior.npz` and `posterior.json`."""

import json
import warnings
from typing import Any, NamedTuple

import jax
import msgspec
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.storage.arrays import read_arrays, write_arrays
from sbitune.data.storage.files import hash_bytes, hash_file, write_text
from sbitune.ratios.posteriors.judgement import LearningWarning
from sbitune.ratios.posteriors.line.card import PosteriorsCardFile
from sbitune.ratios.posteriors.line.checks import LocalRecord, local_test
from sbitune.ratios.posteriors.line.record import (
    VERSION,
    ParameterRecord,
    PosteriorRecord,
    read_record,
    write_record,
)
from sbitune.ratios.posteriors.line.training import TrainedModel, model_product, train_stage
from sbitune.ratios.posteriors.line.verdict import checks_of
from sbitune.ratios.posteriors.posterior import Posterior
from sbitune.ratios.posteriors.prior import Prior, Uniform
from sbitune.workflow.results.checks import judge, warnings_of
from sbitune.workflow.results.provenance import provenance
from sbitune.workflow.stages import writing

#: draws that the local test looks at, at most
_LOCAL_DRAWS = 2000


class SampledPosterior(NamedTuple):
    """A posterior with all that it was made of."""

    loaded: PosteriorsCardFile
    trained: TrainedModel
    draws: np.ndarray  #: (n_draws, n_parameters)
    record: PosteriorRecord

    @property
    def posterior(self) -> Posterior:
        """With `sample` and `log_prob`, of any observation."""
        return Posterior(self.trained.model)


def sample_stage(loaded: PosteriorsCardFile, trained: TrainedModel, reporter: Reporter = QUIET) -> SampledPosterior:
    """Draw from the posterior of the card's observation, and judge it.

    Raises:
        InputError: if another sbitune is at work on the card.
        ComputationError: if the posterior cannot be sampled.
    """
    card, model = loaded.card, trained.model
    draw_key, local_key = jax.random.split(jax.random.fold_in(jax.random.key(card.seed), 2))
    given = trained.tables.observation
    given = given[0] if len(given) == 1 else given
    with writing(loaded):
        reporter.say(f"drawing {card.draws:,} times from the posterior")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", LearningWarning)  # the checks say it
            draws = Posterior(model).sample((card.draws,), x=given, key=draw_key)
        local = _local(local_key, loaded, trained, draws)
        record = _record(loaded, trained, draws, local)
        write_arrays(loaded.output("posterior.npz"), {"samples": draws, "names": np.array(model.prior.names)})
        write_text(loaded.output("posterior.json"), _for_arviz(model.prior, draws))
        write_record(loaded.output("result.yaml"), record)
    return SampledPosterior(loaded, trained, draws, record)


def read_sampled(loaded: PosteriorsCardFile, reporter: Reporter = QUIET) -> SampledPosterior:
    """The posterior that is there. Raises `InputError` if there is none, or if card, simulations or observation have
    changed since.
    """
    record, trained = read_record(loaded.output("result.yaml")), train_stage(loaded, reporter)
    changed = [name for name, now in _hashes(loaded).items() if record.provenance.get(name) != now]
    path = loaded.output("posterior.npz")
    if changed or not path.is_file():
        why = f"{' and '.join(changed)} changed since" if changed else f"{path.name} is gone"
        raise InputError(f"{loaded.output('result.yaml')}: {why}; run `sbitune infer {loaded.directory}` again")
    stored = read_arrays(path, "posterior that sbitune wrote")
    return SampledPosterior(loaded, trained, stored["samples"], record)


def _local(key: jax.Array, loaded: PosteriorsCardFile, trained: TrainedModel, draws: np.ndarray) -> LocalRecord | None:
    observation, n = trained.tables.observation, loaded.card.checks.permutations
    calibration = trained.record.calibration
    if len(observation) > 1 or not n or calibration is None:
        return None
    first = np.array(calibration.first)
    return local_test(key, trained.model, trained.tables.held, first, observation[0], draws[:_LOCAL_DRAWS], n)


def _record(
    loaded: PosteriorsCardFile, trained: TrainedModel, draws: np.ndarray, local: LocalRecord | None
) -> PosteriorRecord:
    card, model = loaded.card, trained.model
    checks = checks_of(trained.record, model, trained.tables.observation, local)
    correlation = np.atleast_2d(np.corrcoef(draws, rowvar=False))
    return PosteriorRecord(
        format=VERSION,
        title=card.title,
        status="sampled",
        verdict=judge(checks, "this posterior").words,
        checks=checks,
        warnings=warnings_of(checks),
        method=card.method,
        observation=card.observation,
        rows=len(trained.tables.observation),
        simulations=trained.record.simulations + trained.record.held,
        draws=len(draws),
        parameters=_parameters(model.prior, draws),
        correlation=correlation.tolist(),
        local=local,
        notes=trained.record.notes,
        provenance=provenance({"card": loaded.path.read_bytes()}, {"card": card.seed}) | _hashes(loaded),
    )


def _parameters(prior: Prior, draws: np.ndarray) -> dict[str, ParameterRecord]:
    found = {}
    low95, low68, median, high68, high95 = np.quantile(draws, [0.025, 0.16, 0.5, 0.84, 0.975], axis=0)
    for i, (name, shape) in enumerate(zip(prior.names, prior.shapes, strict=True)):
        uniform = isinstance(shape, Uniform)
        variance = (shape.high - shape.low) ** 2 / 12 if isinstance(shape, Uniform) else shape.deviation**2
        numbers = msgspec.structs.astuple(shape)
        found[name] = ParameterRecord(
            float(draws[:, i].mean()),
            float(draws[:, i].std()),
            float(median[i]),
            (float(low68[i]), float(high68[i])),
            (float(low95[i]), float(high95[i])),
            dict(zip(("low", "high") if uniform else ("mean", "deviation"), numbers, strict=True)),
            float(1 - draws[:, i].var() / variance),
        )
    return found


def _for_arviz(prior: Prior, draws: np.ndarray) -> str:
    """The group `posterior` of one chain, which arviz reads; see `sbitune.fitting.bridges.arviz_groups`."""
    groups: dict[str, Any] = {"posterior": {name: [draws[:, i].tolist()] for i, name in enumerate(prior.names)}}
    return json.dumps(groups, allow_nan=False) + "\n"


def _hashes(loaded: PosteriorsCardFile) -> dict[str, str]:
    return {
        "card": hash_bytes(loaded.path.read_bytes()),
        "model": model_product(loaded).read_note().product,
        "observation": hash_file(loaded.file(loaded.card.observation), "observation"),
    }
