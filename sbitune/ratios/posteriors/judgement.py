"""Whether a model has learnt anything from its simulations, said in words.

A network that failed (inputs out of scale, a step too large, columns that do not depend on the parameters) gives the
prior as the posterior, which looks like a result. Validation pairs tell: a model that knows something finds a pair
(theta, x) likelier than the same x with the theta of another pair, more often than in half of the cases.
"""

import warnings
from dataclasses import replace

import numpy as np

from sbitune.ratios.posteriors.methods.method import Pairs
from sbitune.ratios.posteriors.model import Model

#: errors by which the preference must exceed chance
_ERRORS = 3.0
#: other pairs that each is compared with
_OTHERS = 4
#: independent pairs of which the mean of a ratio is taken, about
_MEAN_PAIRS = 100_000


class LearningWarning(UserWarning):
    """Numbers that mean little, of a network that did not learn or is asked for what it has not seen; in words."""


def warn_outside(model: Model, x: np.ndarray) -> None:
    """Warn (`LearningWarning`) if an observation (..., n_columns) lies outside of all simulations in some column."""
    rows = x.reshape(-1, len(model.columns))
    away = np.maximum(model.scaling.low - rows, rows - model.scaling.high).max(axis=0) / model.scaling.scale
    far = int(np.argmax(away))
    if away[far] > 0:
        warnings.warn(
            f"the observation is outside of all {model.simulations} simulations in column {model.columns[far]}, by "
            f"{away[far]:.2g} of their deviations ({model.scaling.low[far]:g} to {model.scaling.high[far]:g}): the "
            "network extrapolates, and its posterior means little; widen the prior, or look what the simulator lacks",
            LearningWarning,
            stacklevel=4,
        )


def judge(model: Model, validation: Pairs, every: Pairs) -> Model:
    """Return the model with what is known of it after training, and with notes.

    Args:
        model: as trained.
        validation: pairs that took no step.
        every: all pairs, which make independent ones with each other's theta for the mean of a ratio.
    """
    if model.method.normalised:
        model = replace(model, mean=_mean_ratio(model, every))
    n = len(validation.x)
    true = model.log_of_pairs(validation)
    # the split has shuffled them: a shift by a fixed number is as good as a draw
    shifts = [1 + (k * n) // (_OTHERS + 1) for k in range(min(_OTHERS, n - 1))]
    others = [model.log_of_pairs(_with_theta_of(validation, shift)) for shift in shifts]
    wins = np.mean([(true > other) + 0.5 * (true == other) for other in others], axis=0)
    preference = np.array([wins.mean(), 0.5 / np.sqrt(n)])
    return replace(model, preference=preference, notes=(*model.notes, *_notes(preference, model)))


def _mean_ratio(model: Model, every: Pairs) -> np.ndarray:
    """Logarithm of the mean of r over independent pairs, and its error: what is subtracted and reported.

    Narrow posteriors have large r for few pairs: the mean then has a large error, and a mean of 1 within two of them
    is left as the loss made it.
    """
    n = len(every.x)
    shifts = np.unique(np.linspace(1, n - 1, max(1, min(n - 1, _MEAN_PAIRS // n))).astype(int))
    ratios = np.exp(np.concatenate([model.log_of_pairs(_with_theta_of(every, int(shift))) for shift in shifts]))
    mean, error = ratios.mean(), ratios.std() / np.sqrt(len(ratios))
    return np.array([np.log(mean) if abs(mean - 1) > 2 * error else 0.0, error / mean])


def _with_theta_of(pairs: Pairs, shift: int) -> Pairs:
    return Pairs(np.roll(pairs.real, shift, axis=0), np.roll(pairs.unit, shift, axis=0), pairs.x)


def has_learnt(preference: float, error: float) -> bool:
    """Whether simulated pairs are preferred to shuffled ones, beyond chance."""
    return preference > 0.5 + _ERRORS * error


def _notes(preference: np.ndarray, model: Model) -> tuple[str, ...]:
    mean, error = preference
    notes = []
    if not has_learnt(mean, error):
        notes.append(
            f"the network has learnt nothing: it prefers a simulated pair to a shuffled one in {mean:.1%} +- "
            f"{error:.1%} of the cases, 50 % is chance. The posterior is the prior. Look whether the columns depend on "
            "the parameters at all; simulate more, or take a smaller learning_rate and more epochs"
        )
    epochs = model.losses.shape[1]
    if np.median(model.best_epochs) >= epochs - 1 and epochs < 3:
        notes.append(f"the loss was still falling after {epochs} epochs: train longer")
    return tuple(notes)
