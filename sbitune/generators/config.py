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

    settings: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="Lines that Pythia reads before the parameters, such as `Beams:eCM = 91.2`."),
    ]
    analyses: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Names of the analyses that fill histograms, such as `ALEPH_1996_S3486095` (`sbitune ls "
            "analyses`)."
        ),
    ]
    analysis_files: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Python files, relative to the card, with analyses or columns of your own; their names may "
            "then stand in `analyses` and `columns`."
        ),
    ] = ()
    columns: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Names of sets of columns that every run keeps of its events, such as `LEP_EVENT_SHAPES` "
            "(`sbitune ls columns`), as a table `events.parquet` beside its histograms; by default none."
        ),
    ] = ()


class CommandConfig(
    msgspec.Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True, tag="command", tag_field="kind"
):
    """Any other generator: a shell command whose output is a YODA file."""

    command: Annotated[
        str,
        msgspec.Meta(
            description="Command run by /bin/sh in the run's own directory. `{NAME}` is replaced by a parameter's "
            "value, `{SEED}`, `{EVENTS}` and `{RUN}` by the run's seed, number of events and name, `{CARD}` by the "
            "directory of the card, which the command has as its variable `$CARD`, too."
        ),
    ]
    output: Annotated[
        str, msgspec.Meta(description="Name of the YODA file that the command leaves in the run's directory.")
    ]
    templates: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Files, relative to the card, that are copied into the run's directory with the same "
            "replacements."
        ),
    ] = ()
    template_rule: Annotated[
        Literal["auto", "plain", "professor", "mcnntunes"],
        msgspec.Meta(
            description="Whose templates these are. `plain`: `{NAME}` is replaced, other braces stay. `professor`, "
            "Apprentice's too: as Python's str.format does, with `{{` and `}}` for braces. `mcnntunes`: `{{NAME}}` is "
            "replaced. `auto`: as their braces tell."
        ),
    ] = "auto"


GeneratorConfig = PythiaConfig | CommandConfig


class ParameterConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One parameter and the range in which it is varied."""

    low: Annotated[float, msgspec.Meta(description="Lower end of the range, in the generator's unit.")]
    high: Annotated[float, msgspec.Meta(description="Upper end of the range.")]
    default: Annotated[
        float | None,
        msgspec.Meta(
            description="The generator's own value; for Pythia that of the card's settings if this is not given."
        ),
    ] = None
    unit: Annotated[str, msgspec.Meta(description="Unit for plots and tables.")] = ""
    bias: Annotated[
        str | None,
        msgspec.Meta(
            description="Formula f(x), monotonic in the range: points are spread evenly in f, for example `log(x)` or "
            "`1/x`."
        ),
    ] = None
    check_effect: Annotated[
        bool,
        msgspec.Meta(
            description="Whether the scan is refused if this parameter changes none of 500 events (Pythia alone). "
            "`false` scans it all the same."
        ),
    ] = True


class ScanConfig(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How the parameter space is sampled."""

    runs: Annotated[Runs, msgspec.Meta(description="Number of runs; must be given for a scan that is made.")] = 0
    events: Annotated[
        EventCount, msgspec.Meta(description="Events in each run; must be given for a scan that is made.")
    ] = 0
    seed: Annotated[Seed, msgspec.Meta(description="Seed of the design and of every run's own seed.")] = 1
    directory: Annotated[
        str | None,
        msgspec.Meta(
            description="A scan that exists, relative to the card, in place of runs to be made: a directory of runs "
            "(Professor) or of MCNNTunes' files, an Apprentice .h5 file or a scan.npz. Then `generator` is needed for "
            "validation only."
        ),
    ] = None
    design: Annotated[
        Literal["sobol", "latin", "uniform", "grid"],
        msgspec.Meta(
            description="How the points are placed; a Sobol or uniform design can be extended later by raising `runs`."
        ),
    ] = "sobol"
    extra: Annotated[
        str | None,
        msgspec.Meta(
            description="File, relative to the card, with points of further runs (`sbitune propose` writes it): a line "
            "of the parameters' names, then one point a line. These runs are numbered after the design's, so `runs` "
            "must then stay as it is."
        ),
    ] = None
    workers: Annotated[Workers | None, msgspec.Meta(description="Worker processes; by default one per processor.")] = (
        None
    )
    time_limit: Annotated[
        Seconds, msgspec.Meta(description="Seconds after which a run is killed and counts as failed.")
    ] = 3600.0
    bad_runs: Annotated[
        Literal["stop", "drop"],
        msgspec.Meta(
            description="What to do with a run that failed or cannot be read: stop, or leave it out and say so."
        ),
    ] = "stop"
    bad_bins: Annotated[
        Literal["stop", "drop"],
        msgspec.Meta(
            description="What to do with a selected bin that is not finite in some run: stop, or leave it out and say "
            "so."
        ),
    ] = "stop"
    weight: Annotated[
        str,
        msgspec.Meta(
            description="Name of the weight whose histograms are read, `MUR1_MUF1` of `/A/d01-x01-y01[MUR1_MUF1]`; by "
            "default the nominal one, which has none."
        ),
    ] = ""
    scheduler: Annotated[
        str | None,
        msgspec.Meta(
            description="Address of a dask.distributed scheduler, such as `tcp://host:8786`; runs then go there."
        ),
    ] = None
