"""What a card says about the generator, the parameters and the scan."""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from sbitune.data.text.names import shorten

#: runs, and events of a run: each of these is more than anybody waits for
Runs = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
EventCount = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
Workers = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
#: up to a hundred days
Seconds = Annotated[float, msgspec.Meta(gt=0, le=8_640_000)]
#: where a key of the card stands, for messages: ("generator", "settings", 2) -> "card.yaml:9: generator.settings[2]"
Place = Callable[..., str]


def spell_key(*steps: str | int) -> str:
    """Spell a key of the card, for messages: the `Place` of a card that is not in a file.

    >>> spell_key("generator", "settings", 2)
    'generator.settings[2]'
    """
    return "".join(f"[{step}]" if isinstance(step, int) else f".{shorten(step)}" for step in steps).lstrip(".")


class PythiaConfig(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True, tag="pythia", tag_field="kind"
):
    """Pythia 8 run inside sbitune's own workers."""

    settings: tuple[str, ...]
    """Lines that Pythia reads before the parameters, such as `Beams:eCM = 91.2`."""
    analyses: tuple[str, ...]
    """Names of the analyses that fill histograms, such as `ALEPH_1996_S3486095` (`sbitune ls analyses`)."""
    analysis_files: tuple[str, ...] = ()
    """Python files, relative to the card, with analyses or columns of your own; their names may then stand in
    `analyses` and `columns`."""
    columns: tuple[str, ...] = ()
    """Names of sets of columns that every run keeps of its events, such as `LEP_EVENT_SHAPES` (`sbitune ls columns`),
    as a table `events.parquet` beside its histograms; by default none."""


class CommandConfig(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True, tag="command", tag_field="kind"
):
    """Any other generator: a shell command whose output is a YODA file."""

    command: str
    """Command run by /bin/sh in the run's own directory. `{NAME}` is replaced by a parameter's value, `{SEED}`,
    `{EVENTS}` and `{RUN}` by the run's seed, number of events and name, `{CARD}` by the directory of the card, which
    the command has as its variable `$CARD`, too."""
    output: str
    """Name of the YODA file that the command leaves in the run's directory."""
    templates: tuple[str, ...] = ()
    """Files, relative to the card, that are copied into the run's directory with the same replacements."""
    template_rule: Literal["auto", "plain", "professor", "mcnntunes"] = "auto"
    """Whose templates these are. `plain`: `{NAME}` is replaced, other braces stay. `professor`, Apprentice's too: as
    Python's str.format does, with `{{` and `}}` for braces. `mcnntunes`: `{{NAME}}` is replaced. `auto`: as their
    braces tell."""


GeneratorConfig = PythiaConfig | CommandConfig


class ParameterConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One parameter and the range in which it is varied."""

    low: float
    """Lower end of the range, in the generator's unit."""
    high: float
    """Upper end of the range."""
    default: float | None = None
    """Value before tuning; for Pythia the value of the card's settings is used if this is not given."""
    unit: str = ""
    """Unit for plots and tables."""
    bias: str | None = None
    """Formula f(x), monotonic in the range: points are spread evenly in f, for example `log(x)` or `1/x`."""
    check_effect: bool = True
    """Whether the scan is refused if this parameter changes none of 500 events (Pythia alone). `false` scans it all the
    same."""


class ScanConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the parameter space is sampled."""

    runs: Runs = 0
    """Number of runs; must be given for a scan that is made."""
    events: EventCount = 0
    """Events in each run; must be given for a scan that is made."""
    seed: Seed = 1
    """Seed of the design and of every run's own seed."""
    directory: str | None = None
    """A scan that exists, relative to the card, in place of runs to be made: a directory of runs (Professor) or of
    MCNNTunes' files, an Apprentice .h5 file or a scan.npz. Then `generator` is needed for validation only."""
    design: Literal["sobol", "latin", "uniform", "grid"] = "sobol"
    """How the points are placed; a Sobol or uniform design can be extended later by raising `runs`."""
    extra: str | None = None
    """File, relative to the card, with points of further runs (`sbitune propose` writes it): a line of the parameters'
    names, then one point a line. These runs are numbered after the design's, so `runs` must then stay as it is."""
    workers: Workers | None = None
    """Worker processes; by default one per processor."""
    time_limit: Seconds = 3600.0
    """Seconds after which a run is killed and counts as failed."""
    bad_runs: Literal["stop", "drop"] = "stop"
    """What to do with a run that failed or cannot be read: stop, or leave it out and say so."""
    bad_bins: Literal["stop", "drop"] = "stop"
    """What to do with a selected bin that is not finite in some run: stop, or leave it out and say so."""
    weight: str = ""
    """Name of the weight whose histograms are read, `MUR1_MUF1` of `/A/d01-x01-y01[MUR1_MUF1]`; by default the nominal
    one, which has none."""
    scheduler: str | None = None
    """Address of a dask.distributed scheduler, such as `tcp://host:8786`; runs then go there."""
