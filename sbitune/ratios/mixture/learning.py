"""How networks of a model are trained, and what is noted of it."""

import msgspec
import numpy as np

from sbitune.learning.training import Trained, TrainingConfig
from sbitune.ratios.sections import NetworkConfig

#: steps of a training that is left to itself: a tenth does not find what is not linear; epochs, at least and at most
_STEPS, _EPOCHS = 3000, (20, 200)


class Learned(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How a training went; losses are those of a classifier, in nats."""

    what: str
    """What was learnt: `ratios`, or sample and nuisance parameter."""
    train: list[list[float]]
    """(n_epochs, n_members) mean loss of the steps."""
    validation: list[list[float]]
    """(n_epochs, n_members) loss of the validation events."""
    best_epoch: list[int]
    """(n_members,) whose network was kept, from 0."""
    nothing: float
    """Loss of a classifier that says that all classes are alike."""
    n_validation: int
    """Events, or pairs of them, that validated."""

    @property
    def best(self) -> np.ndarray:
        """(n_members,) validation loss of what was kept."""
        return np.array(self.validation)[self.best_epoch, np.arange(len(self.best_epoch))]


def training_config(config: NetworkConfig, n_train: int) -> TrainingConfig:
    """What the loop takes, for so many training events; which events validate is said beside it."""
    steps = max(1, n_train // config.batch_size)
    epochs = config.epochs or int(np.clip(-(-_STEPS // steps), *_EPOCHS))
    return TrainingConfig(
        epochs=epochs,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        patience=config.patience or epochs,
    )


def learned(what: str, trained: Trained, nothing: float, n_validation: int) -> Learned:
    """Note a training."""
    losses = [np.round(np.asarray(part, float), 7).tolist() for part in trained.losses]
    return Learned(what, losses[0], losses[1], np.asarray(trained.best_epoch).tolist(), nothing, n_validation)
