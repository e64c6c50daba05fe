"""Which kind of surrogate: the simplest of those that give held-out runs the highest probability.

A kind that is named is judged by held-out runs, too: what is trained on the others can be fitted to them.
"""

from collections.abc import Iterable, Iterator

import jax

from sbitune.data.errors import InputError
from sbitune.data.reporting import QUIET, Reporter
from sbitune.data.scan import Scan
from sbitune.data.text.numbers import quoted
from sbitune.tuning.surrogates.choice.config import AutoConfig
from sbitune.tuning.surrogates.choice.judge import Choice, make_judge
from sbitune.tuning.surrogates.kindconfig import KindConfig, Scale, SurrogateSection
from sbitune.tuning.surrogates.protocols import SCALES, TURNS, Candidate, Kind, TrainedSurrogate, Turn
from sbitune.tuning.surrogates.registry import kinds
from sbitune.tuning.surrogates.training import train

#: why a kind was taken that was not chosen
NAMED = "named in the card"


def choose(key: jax.Array, scan: Scan, config: AutoConfig, reporter: Reporter = QUIET) -> Choice:
    """Train every kind on a part of the runs and compare what they say of the others.

    The score is the predictive log density, which punishes wrong errors as well as wrong means. Every kind says what
    is tried of it, in turns: polynomials of contents and of logarithms; Gaussian processes and rational functions of
    the better of these; where none of them reaches the Monte Carlo noise in every observable, Gaussian processes of
    the other of these, and of every bin alone, and a network: one observable that is badly learnt would hide behind
    many that are well learnt. Bins in which no run quotes an error do not vote. Of kinds that are as good as the best,
    which is known from few runs, over all bins and in every observable, the simplest is taken.

    Raises:
        InputError: too few runs to hold some out, or no bin has an error.
    """
    split_key, train_key = jax.random.split(key)
    judge = make_judge(split_key, scan, config.holdout)

    def try_out(tried: Iterable[Candidate]) -> None:
        for candidate in tried:
            try:
                judge.try_out(train_key, candidate)
            except InputError as error:  # too few runs for this one
                reporter.say(f"surrogate: {candidate.name} was not tried: {error}")

    try_out(candidates(config, "first", SCALES))
    better = judge.best_scale()
    first = SCALES if better is None else (better,)
    try_out(candidates(config, "better scale", first))
    if not judge.tried or judge.worst_rms() > config.good:  # what polynomials say of scales does not count then
        try_out(candidates(config, "other scales", [scale for scale in SCALES if scale not in first]))
        for kind in kinds():
            try_out(_of_kind(kind, config, "last", judge.best_scale(kind.config) or first[0]))
    if not judge.tried:
        raise InputError(
            f"{len(scan.runs)} runs are too few for any surrogate; add runs", code="surrogate-too-few-runs"
        )
    return judge.choice()


def candidates(config: AutoConfig, turn: Turn, scales: Iterable[Scale]) -> Iterator[Candidate]:
    """What all kinds try in a turn, scale by scale."""
    for scale in scales:
        for kind in kinds():
            yield from _of_kind(kind, config, turn, scale)


def _of_kind(kind: Kind, config: AutoConfig, turn: Turn, scale: Scale) -> Iterator[Candidate]:
    candidate = kind.candidate(config.of_kind(kind.config), turn, scale)
    if candidate is not None:
        yield candidate


def choice_of_kind(key: jax.Array, scan: Scan, config: KindConfig) -> Choice:
    """Train one kind on a part of the runs and compare what it says of the others. Raises as `choose` does."""
    split_key, train_key = jax.random.split(key)
    judge = make_judge(split_key, scan, AutoConfig().holdout)
    judge.try_out(train_key, Candidate(config.kind, config, 0))
    return judge.choice(NAMED)


def train_chosen(
    key: jax.Array, scan: Scan, config: SurrogateSection, reporter: Reporter = QUIET, judged: bool = False
) -> tuple[TrainedSurrogate, Choice | None]:
    """Train what `config` describes; with `AutoConfig` what `choose` finds, with the reasons.

    With `judged` other kinds are judged by held-out runs, too, if the scan has enough for that.
    """
    if not isinstance(config, AutoConfig):
        return train(key, scan, config), _judged(key, scan, config, reporter) if judged else None
    choose_key, train_key = jax.random.split(key)
    choice = choose(choose_key, scan, config, reporter)
    reporter.say(f"surrogate: {choice.reason}")
    return train(train_key, scan, choice.config), choice


def _judged(key: jax.Array, scan: Scan, config: SurrogateSection, reporter: Reporter) -> Choice | None:
    assert isinstance(config, KindConfig)
    try:
        return choice_of_kind(key, scan, config)
    except InputError as error:
        reporter.say(f"surrogate: not judged by held-out runs: {error}")
        return None


def is_chosen(config: object) -> bool:
    """Whether the runs decide on the kind."""
    return isinstance(config, AutoConfig)


def chosen_config(key: jax.Array, scan: Scan, config: SurrogateSection, reporter: Reporter = QUIET) -> SurrogateSection:
    """The config itself or, where the runs decide on the kind, that of the kind which is chosen. Raises as `choose`."""
    return choose(key, scan, config, reporter).config if isinstance(config, AutoConfig) else config


def retraining(key: jax.Array, config: SurrogateSection, name: str) -> tuple[jax.Array, SurrogateSection]:
    """Key and config with which `train_chosen` trained at last what its choice called so; a kind that is named is not
    chosen. Raises `InputError` for a name that no candidate has.
    """
    if not isinstance(config, AutoConfig):
        return key, config
    known = {candidate.name: candidate for turn in TURNS for candidate in candidates(config, turn, SCALES)}
    if name not in known:
        raise InputError(f"the kind {quoted(name)} is none that `auto` tries; fit again")
    return jax.random.split(key)[1], known[name].config
