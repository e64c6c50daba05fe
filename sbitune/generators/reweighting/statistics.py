"""Numbers of every event from which its weight at any values of the parameters follows, recovered from some weights."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sbitune.data.errors import ComputationError, InputError
from sbitune.data.events import Events
from sbitune.data.events.roles import weight_name
from sbitune.data.text.names import list_names
from sbitune.generators.reweighting.forms import FORMS
from sbitune.generators.reweighting.variations import Variations

#: a variation this near to the base says nothing
_NEAR = 1e-9
#: standard errors by which a mean weight may be away from 1, over the variations of a run
_MOST_AWAY = 6.0
#: of least squares: functions of one parameter are nearly the same in a small range, and weights are good to 1e-13
_CUT = 1e-15


@dataclass(frozen=True, eq=False)
class EventStatistics:
    """Log weights of events, as functions of parameters, relative to the run that they are of."""

    base: Mapping[str, float]  #: settings of the run
    ranges: Mapping[str, tuple[float, float]]  #: setting -> smallest and largest value, the base among them
    numbers: Mapping[str, np.ndarray]  #: setting -> T (n_events, n_functions), see `forms`

    def __len__(self) -> int:
        """Number of events."""
        return len(next(iter(self.numbers.values())))

    def log_weight(self, theta: Mapping[str, float]) -> np.ndarray:
        """(n_events,) log p(event, history | theta) - log p(event, history | base).

        Args:
            theta: values by the name of the setting; those that are not named are as in the base.

        Raises:
            InputError: a parameter without numbers, or a value outside of those that were varied where the form is no
                exact one.
        """
        total = np.zeros(len(self))
        for name, value in theta.items():
            numbers = self._of(name)
            low, high = self.ranges[name]
            if not FORMS[name].exact and not low - _NEAR <= value <= high + _NEAR:
                raise InputError(
                    f"{name} is {value:g}; the weights were varied from {low:g} to {high:g}, and beyond nothing is "
                    "known",
                    code="weights-outside-range",
                )
            functions, n = FORMS[name].functions, numbers.shape[1]
            at, base = (functions(np.asarray(v), self.base, n)[0] for v in (value, self.base[name]))
            total += numbers @ (at - base)
        return total

    def score(self, name: str) -> np.ndarray:
        """(n_events,) derivative of log p(event, history) by a parameter at the base, per its unit."""
        numbers = self._of(name)
        return numbers @ FORMS[name].functions(np.asarray(self.base[name]), self.base, numbers.shape[1])[1]

    def ess(self, theta: Mapping[str, float]) -> float:
        """Effective number of events at theta over the number that there is: (sum w)^2 / (n sum w^2)."""
        w = np.exp(self.log_weight(theta))
        return float(w.sum() ** 2 / (len(w) * (w**2).sum()))

    def _of(self, name: str) -> np.ndarray:
        if name not in self.numbers:
            raise InputError(
                f"{name}: the events have no weights of it; they have of {list_names(self.numbers)}",
                code="weights-no-form",
            )
        return self.numbers[name]


def recover(events: Events, variations: Variations, base: Mapping[str, float]) -> EventStatistics:
    """Recover weights as functions of the parameters.

    Args:
        events: of one run that was asked for the variations.
        variations: as they were asked for.
        base: settings of the run; all parameters that were varied must be there.

    Raises:
        InputError: weights that are not there, not positive, or the same for all events, as they are if Pythia has
            ignored a variation; a base that is not told.
        ComputationError: a mean weight that is not 1 within its error.
    """
    numbers, ranges = {}, {}
    for name, values in variations.values:
        if name not in base:
            raise InputError(f"{name}: at which value was the run made? The base has {list_names(base)}")
        away = {w: v for w, v in zip(variations.names(name), values, strict=True) if abs(v - base[name]) > _NEAR}
        logs = np.stack([_log_weight(events, weight) for weight in away], axis=1)
        form = FORMS[name]
        n = form.least if form.exact else len(away)
        at, zero = (form.functions(np.asarray(v), base, n)[0] for v in (list(away.values()), base[name]))
        # each row by its own size: values near to the base, whose weights are near to 1, tell the slope
        size = np.abs(at - zero).max(axis=1, keepdims=True)
        numbers[name] = np.linalg.lstsq((at - zero) / size, (logs / size.T).T, rcond=_CUT)[0].T
        ranges[name] = (min(*values, base[name]), max(*values, base[name]))
    return EventStatistics(dict(base), ranges, numbers)


def _log_weight(events: Events, weight: str) -> np.ndarray:
    name = weight_name(weight)
    if weight not in events.variations:
        raise InputError(
            f"{events.where}: there is no {name!r}; was the run asked for it (`Variations.added_to`)? It has "
            f"{list_names(map(weight_name, events.variations))}",
            code="weights-absent",
        )
    nominal = np.asarray(events.weight, float)
    w = np.asarray(events.weights[:, events.variations.index(weight)], float) / nominal
    if not (w > 0).all():
        row = int(np.argmin(w > 0))
        raise InputError(f"{events.where}: {name!r} is {w[row]:g} at row {row}, expected a positive weight")
    if np.ptp(w) == 0 and len(w) > 1:
        raise InputError(
            f"{events.where}: {name!r} is {w[0]:g} for all events: Pythia has not varied anything",
            code="weights-ignored",
        )
    error = w.std() / np.sqrt(len(w))
    if abs(w.mean() - 1) > _MOST_AWAY * error:
        raise ComputationError(
            f"{events.where}: the mean of {name!r} is {w.mean():.4g} +- {error:.2g}, not 1: the weights do not "
            "describe a run with this value; are popcornRate, zHead and the string model as exact weights need them?",
            code="weights-biased",
        )
    return np.log(w)
