"""Columns of events that runs leave beside histograms: what they hold, their campaign, weights by name, own files."""

import importlib.util
import json
import shutil
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
import pytest
from helpers.calling import call
from helpers.campaigns import LEP, toy_tasks
from helpers.hepmctexts import hepmc3

from sbitune.data import yoda
from sbitune.data.errors import InputError
from sbitune.data.events import Events, Origin, Ragged, TableRequest, read_events, read_run_events, write_events
from sbitune.data.formats.professor import read_runs
from sbitune.data.formats.runfiles import DamagedRunError
from sbitune.generators.campaigns.campaign import Means, run_campaign
from sbitune.generators.campaigns.pool import make_remotely
from sbitune.generators.campaigns.runs import Task, fingerprint
from sbitune.generators.columns import ColumnsRun, available_columns, load_columns, register_file
from sbitune.generators.config import CommandConfig, PythiaConfig
from sbitune.generators.eventfiles import EventFile

STORED = Path(__file__).parents[1] / "data" / "lep91_200.npz"
VARIED = (*LEP, "UncertaintyBands:doVariations = on", "UncertaintyBands:List = {low fsr:muRfac=0.5}")
CONFIG = PythiaConfig(settings=VARIED, analyses=("ALEPH_1996_S3486095",), columns=("LEP_EVENT_SHAPES",))
OWN = """
import numpy as np
from sbitune.data.events import Ragged
from sbitune.generators.columns import ColumnInfo, EventColumns

def compute(events):
    return {"n": events.final.count, "p": Ragged(events.charged.p, events.charged.offsets)}

COLUMNS = EventColumns("MINE", "mine", {"n": ColumnInfo("", "particles"), "p": ColumnInfo("GeV", "momenta")}, compute)
"""


def tasks(n: int = 1, config: PythiaConfig = CONFIG) -> list[Task]:
    return [Task(f"{i:04d}", config, {"StringZ:aLund": 0.6 + 0.1 * i}, 120, 5 + i, ".") for i in range(n)]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    directory = tmp_path_factory.mktemp("columns") / "s"
    run_campaign(tasks(), directory, Means(workers=1))
    return directory


@pytest.fixture(scope="module")
def batch():
    return next(EventFile(STORED).batches())


def test_a_run_leaves_a_table_of_its_events(made):
    events = read_events(made / "0000" / "events.parquet")
    assert len(events) == 120
    assert list(events.columns) == list(load_columns("LEP_EVENT_SHAPES").columns)
    assert events.origins == (Origin(run="0000", hash=fingerprint(tasks()[0])),)
    assert events.variations[0] == ""
    assert "low" in events.variations
    np.testing.assert_array_equal(events.weight, 1.0)
    assert np.std(events["weight[low]"]) > 0.1  # pyright: ignore
    histograms = yoda.read(made / "0000" / "histograms.yoda")
    raw = histograms["/RAW/ALEPH_1996_S3486095/d03-x01-y01"]
    one_minus_thrust = 1 - events.select("hadronic")["thrust"]  # pyright: ignore
    counts = [
        np.sum((one_minus_thrust >= low) & (one_minus_thrust < high))
        for low, high in zip(raw.low, raw.high, strict=True)
    ]  # pyright: ignore
    np.testing.assert_array_equal(counts, raw.sums[:, -1])  # pyright: ignore


def test_the_table_belongs_to_the_run(made, tmp_path):
    record = json.loads((made / "0000" / "run.json").read_text())
    assert "events.parquet" in record["files"]
    shutil.copytree(made, tmp_path / "s")
    assert run_campaign(tasks(), tmp_path / "s", Means(workers=1)).new == 0
    table = tmp_path / "s" / "0000" / "events.parquet"
    table.write_bytes(table.read_bytes()[:-1])
    with pytest.raises(DamagedRunError, match=r"0000/events\.parquet is not what the run left"):
        next(read_run_events(tmp_path / "s"))
    with pytest.raises(DamagedRunError, match=r"0000/events\.parquet is not what the run left"):
        run_campaign(tasks(), tmp_path / "s", Means(workers=1))
    with pytest.raises(InputError, match="was made with other settings"):
        run_campaign(tasks(config=msgspec.structs.replace(CONFIG, columns=())), made, Means(workers=1))


def test_events_of_runs_come_with_their_parameters(made, tmp_path):
    (run,) = read_run_events(made, TableRequest(columns=["thrust"]))
    assert (run.run, run.parameters, list(run.events.columns)) == ("0000", {"StringZ:aLund": 0.6}, ["thrust"])
    with pytest.raises(InputError, match="there is no run in it that sbitune made"):
        next(read_run_events(tmp_path))


@pytest.mark.slow
def test_runs_with_tables_are_a_scan_as_others(tmp_path):
    run_campaign(tasks(2), tmp_path / "s", Means(workers=1))
    assert read_runs(tmp_path / "s").runs == ("0000", "0001")
    assert [run.parameters["StringZ:aLund"] for run in read_run_events(tmp_path / "s")] == [0.6, 0.7]


@pytest.mark.slow
def test_a_node_of_a_cluster_sends_the_same_table(made):
    failure, files = make_remotely(msgspec.json.encode(tasks()[0]), 60)
    assert failure is None
    assert files["events.parquet"] == (made / "0000" / "events.parquet").read_bytes()


def test_runs_without_columns_are_what_they_were():
    plain = msgspec.structs.replace(CONFIG, columns=())
    assert b"columns" not in msgspec.json.encode(plain)
    assert fingerprint(tasks(config=plain)[0]) != fingerprint(tasks()[0])


def test_every_set_computes_what_it_declares(batch):
    absent = {"ANTIKT_JETS"} if importlib.util.find_spec("fastjet") is None else set()
    columns = ColumnsRun([name for name in available_columns() if name not in absent], Origin("a file"))
    events = columns.table(batch)
    declared = [name for a_set in columns.sets for name in a_set.columns]
    assert list(events.columns) == declared
    assert all(info.description for a_set in columns.sets for info in a_set.columns.values())
    px, charge, offsets = events["px"], events["charge"], batch.offsets
    assert isinstance(px, Ragged)
    assert isinstance(charge, Ragged)
    assert px.offsets is charge.offsets
    final = batch.status == 1
    np.testing.assert_array_equal(px.counts, [final[a:b].sum() for a, b in pairwise(offsets)])
    charged = np.add.reduceat(charge.content != 0, px.offsets[:-1])
    np.testing.assert_array_equal(events["n_charged"], charged)  # pyright: ignore


def test_events_outside_of_a_set_are_zero_and_flagged(batch):
    keep = np.where(np.arange(len(batch.id)) < batch.offsets[1], batch.status, 1 * batch.status)
    keep[3 : batch.offsets[1]] = 2  # the first event has no final particles
    events = ColumnsRun(["LEP_EVENT_SHAPES"], Origin()).table(type(batch)(**{**_arrays(batch), "status": keep}))
    assert not events.flags["hadronic"][0]
    assert events.flags["hadronic"][1:].all()
    assert all(column[0] == 0 for column in events.columns.values())
    assert (events["thrust"][1:] > 0.5).all()  # pyright: ignore


def _arrays(batch):
    return {name: array for name, array in vars(batch).items() if isinstance(array, np.ndarray)}


def test_stored_events_become_a_table_with_all_weights(tmp_path):
    events = tmp_path / "a.hepmc"
    events.write_text(hepmc3(names=("Weight", "up", "down"), weights=[(1, 2, 0.5), (1.5, 3, 0.7), (2, 4, 0.9)]))
    call("analyse", events, "-c", "LEP_EVENT_SHAPES", "-t", tmp_path / "a.parquet")
    found = read_events(tmp_path / "a.parquet")
    assert found.variations == ("", "up", "down")
    np.testing.assert_array_equal(found.weights, [[1, 2, 0.5], [1.5, 3, 0.7], [2, 4, 0.9]])
    np.testing.assert_allclose(found["n_charged"], 4)  # pyright: ignore
    call(
        "analyse",
        events,
        "-c",
        "LEP_EVENT_SHAPES",
        "-t",
        tmp_path / "b.parquet",
        "--nominal-weight",
        "up",
        "--max-events",
        2,
    )
    assert read_events(tmp_path / "b.parquet").variations == ("", "Weight", "down")
    np.testing.assert_array_equal(read_events(tmp_path / "b.parquet").weight, [2, 3])


def test_weights_without_names_are_numbered(tmp_path):
    events, table = tmp_path / "a.hepmc", tmp_path / "a.parquet"
    events.write_text(hepmc3(names=(), weights=(1, 2, 3)))
    call("analyse", events, "-c", "FINAL_STATE", "-t", table)
    assert read_events(table).variations == ("", "1", "2")


def table_of(file):
    register_file(file)
    return ColumnsRun(["MINE"], Origin()).table(next(EventFile(STORED).batches()))


def test_columns_of_ones_own(tmp_path):
    file, table = tmp_path / "mine.py", tmp_path / "a.parquet"
    file.write_text(OWN)
    call("analyse", STORED, "-c", "MINE", "--analysis-file", file, "-t", table)
    events = read_events(table)
    assert list(events.columns) == ["n", "p"]
    assert isinstance(events["p"], Ragged)
    for wrong, right, words in (
        ("events.final.count", "events.final.cuont", r"mine.py:7: AttributeError: .*cuont"),
        ('{"n": events', '{"m": events', r"columns MINE: computed are m, p, declared n, p"),
        ("events.final.count", "events.final.count[1:]", r"columns MINE: 'n' has 199 rows for 200 events"),
        ("events.final.count", "events.final.count / 0.0", r"columns MINE: 'n' is inf at row 0"),
        ('EventColumns("MINE"', 'EventColumns("FINAL_STATE"', "the name FINAL_STATE is taken"),
        ("COLUMNS = EventColumns(", "COLUMNS = (", r"COLUMNS must be an EventColumns"),
    ):
        file.write_text(OWN.replace(wrong, right))
        with np.errstate(divide="ignore"), pytest.raises(InputError, match=words):
            table_of(file)


def test_a_file_may_hold_columns_beside_an_analysis(tmp_path):
    file = tmp_path / "both.py"
    file.write_text(
        OWN.replace("MINE", "BOTH")
        + "from sbitune.generators.observables import Analysis, Energy\n"
        + "ANALYSIS = Analysis('BOTH', 'b', None, (11, -11), (Energy.near(91.2),),\n"
        + "    lambda b: b.histogram('h', edges=[0, 1]), lambda e, b: b['h'].fill(1 - e.charged.thrust, e.weight),\n"
        + "    lambda raw: {})\n"
    )
    out, table = tmp_path / "o.yoda", tmp_path / "t.parquet"
    call("analyse", STORED, "-a", "BOTH", "-c", "BOTH", "--analysis-file", file, "-o", out, "-t", table)
    assert "/BOTH/h" in yoda.read(out)
    assert len(read_events(table)) == 200


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("-c", "LEP_EVENT_SHAPE", "-t", "a.parquet"),
            "there are no columns 'LEP_EVENT_SHAPE'; the nearest are LEP_EVENT",
        ),
        (("-c", "LEP_EVENT_SHAPES"), "-c and -t FILE.parquet belong together"),
        (("-a", "ALEPH_1996_S3486095"), "-a and -o FILE.yoda belong together"),
        ((), "nothing is asked for"),
        (("-c", "LEP_EVENT_SHAPES", "-t", "a.csv"), "a.csv: the name must end in .parquet or .pq"),
        (
            ("-c", "LEP_EVENT_SHAPES", "-t", "a.parquet", "--beams", 2212, 2212, 7000),
            "need the beams 11 -11 (PDG codes)",
        ),
    ],
)
def test_what_cannot_be_asked_for(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in call("analyse", STORED, *words, code=2).stderr
    assert not list(tmp_path.iterdir())


def test_sets_are_listed_with_units():
    listed = json.loads(call("ls", "columns", "LEP", "--json").stdout)["columns"]
    assert listed["LEP_EVENT_SHAPES.momentum_sum"]["unit"] == "GeV"
    assert "columns" in call("ls", "card", "columns").stdout


def test_a_card_with_columns_that_there_are_not(tmp_path, lep_card):
    text = lep_card.read_text()
    assert "  analyses:" in text
    (tmp_path / "card.yaml").write_text(text.replace("  analyses:", "  columns: [FINAL_STATE, NONE]\n  analyses:"))
    said = call("scan", tmp_path, code=2).stderr
    assert "generator.columns[1]: there are no columns 'NONE'; there are" in said


def test_a_table_that_a_command_leaves_belongs_to_its_run(tmp_path):
    write_events(tmp_path / "table.parquet", Events.of({"x": np.arange(3.0)}))
    (task,) = toy_tasks(tmp_path, 1)
    assert isinstance(task.generator, CommandConfig)
    command = f"cp {{CARD}}/table.parquet events.parquet && {task.generator.command}"
    generator = msgspec.structs.replace(task.generator, command=command)
    run_campaign([msgspec.structs.replace(task, generator=generator)], tmp_path / "s", Means(workers=1))
    assert "events.parquet" in json.loads((tmp_path / "s" / "0000" / "run.json").read_text())["files"]
    (run,) = read_run_events(tmp_path / "s")
    assert list(run.events["x"]) == [0, 1, 2]
    assert run.parameters == {"alpha": 0.5}
