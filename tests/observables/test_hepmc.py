"""HepMC files: weights, cross-sections and beams by name and rule, pipes, and a reader that may die."""

import bz2
import contextlib
import gzip
import lzma
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from helpers.calling import call
from helpers.hepmctexts import hepmc2, hepmc3

from sbitune.data import yoda
from sbitune.data.errors import ComputationError, InputError
from sbitune.generators.command import run_command
from sbitune.generators.config import CommandConfig
from sbitune.generators.eventfiles import EventFile, analyse
from sbitune.generators.hepmc.events import Reading, choose_weight
from sbitune.generators.hepmc.files import open_hepmc
from sbitune.generators.hepmc.statedbeams import StatedBeams

pytest.importorskip("pyhepmc")
OPAL = "OPAL_1998_S3780481"


@pytest.fixture
def figures(tmp_path):
    """Number of events, their sum of weights and the cross-section of a text, as `analyse` finds them."""

    def read(text, **options):
        path = tmp_path / "events.hepmc"
        path.write_text(text)
        found = {item.path: item for item in analyse(path, [OPAL], **options)}
        count, section = found["/RAW/_EVTCOUNT"], found["/RAW/_XSEC"]
        return count.entries, count.sumw, (section.values[0, 0], section.plus[0, 0])

    return read


@pytest.mark.parametrize(
    ("names", "wanted", "expected", "said"),
    [
        (("Weight",), None, 0, ""),
        (("MUR0.5", "Default"), None, 1, ""),
        (("MUR0.5", "", "Weight"), None, 1, ""),
        (("nominal", "MUR0.5"), None, 0, ""),
        (("MUR2", "0"), None, 1, ""),
        (("Default", "Weight"), None, 0, "the first nominal one is taken, Default"),
        (("Weight", "Default"), None, 0, "the first nominal one is taken, Weight"),
        (("MUR0.5", "Weight_MERGING=0.000"), None, 0, "no weight is nominal, of MUR0.5, Weight_MERGING=0.000"),
        (("MUR0.5", "Default"), "MUR0.5", 0, ""),
        (("MUR0.5", "Default"), "default", None, ""),
        ((), None, 0, ""),
        ((), "Default", None, ""),
    ],
)
def test_the_nominal_weight_is_chosen_as_rivet_chooses_it(names, wanted, expected, said):
    at, note = choose_weight(names, wanted)
    assert at == expected
    assert said in note
    assert bool(note) == bool(said)


def test_the_cross_section_is_that_of_the_weight(figures):
    several = {"names": ("MUR0.5", "Default"), "weights": (0.5, 2.0), "sections": ((100, 1), (200, 3))}
    assert figures(hepmc3(**several)) == (3, 6.0, (200, 3))
    assert figures(hepmc3(**several), nominal_weight="MUR0.5") == (3, 1.5, (100, 1))
    # one that stands alone is that of all
    assert figures(hepmc3(**several | {"sections": ((70, 2),)})) == (3, 6.0, (70, 2))
    assert figures(hepmc3(names=("MUR0.5", "Default"), weights=(0.5, 2.0)), cross_section=(5, 0.5))[2] == (5, 0.5)
    with pytest.raises(InputError, match=r"events\.hepmc: event 0 .*has 3 cross-sections and 2 weights"):
        figures(hepmc3(**several | {"sections": ((100, 1), (200, 3), (300, 5))}))


def test_weights_that_cannot_be_told_are_refused(figures, tmp_path, caplog):
    with pytest.raises(InputError, match=r"events\.hepmc: event 0 .* weights \(3\) .* names"):
        figures(hepmc3(weights=(1, 2, 3)))
    with pytest.raises(InputError, match=r"event 0 .*has no weight 'MUR4'; it has MUR0.5, MUR2"):
        figures(hepmc3(("MUR0.5", "MUR2"), (1, 2)), nominal_weight="MUR4")
    assert figures(hepmc3(("MUR0.5", "MUR2"), (3, 1)))[1] == 9
    assert f"{tmp_path / 'events.hepmc'}: no weight is nominal, of MUR0.5, MUR2" in caplog.text
    assert "--nominal-weight NAME" in caplog.text
    (tmp_path / "events.npz").touch()
    with pytest.raises(InputError, match=r"events\.npz: an archive has one weight"):
        EventFile(tmp_path / "events.npz", nominal="MUR2")


@pytest.mark.parametrize("bad", ["nan", pytest.param("inf", marks=pytest.mark.slow)])
def test_numbers_that_are_not_finite_are_refused_with_their_event(figures, bad):
    with pytest.raises(InputError, match=r"events\.hepmc: event 2 .*cannot be read"):  # HepMC 3 takes it for no number
        figures(hepmc3(weights=[(1.0,), (1.0,), (bad,)]))
    old = hepmc2().replace("E 2 0 0 0 0 0 0 1 10001 10002 0 1 1.0", f"E 2 0 0 0 0 0 0 1 10001 10002 0 1 {bad}")
    with pytest.raises(InputError, match=rf"events\.hepmc: event 2 .*a weight that is not finite: {bad}"):
        figures(old)
    # of a weight that is not taken nothing is used
    named = old.replace('N 1 "Weight"', 'N 2 "MUR2" "Weight"')
    other = re.sub(r"(E \d .*) 0 1 (\S+)\n", r"\1 0 2 \2 1.0\n", named)
    assert figures(other) == (3, 3.0, (100, 1))
    names = ("MUR2", "Weight")
    with pytest.raises(InputError, match=r"event 0 .*a cross-section that is not finite"):
        figures(hepmc3(sections=((bad, 1),)))
    with pytest.raises(InputError, match=r"event 0 .*a cross-section that is not finite"):
        figures(hepmc3(names, (1, 1), sections=((100, 1), (200, bad))))
    assert figures(hepmc3(names, (1, 1), sections=((bad, 1), (200, 5))))[2] == (200, 5)


def test_a_negative_cross_section_is_to_be_stated(figures):
    with pytest.raises(InputError, match=r"its cross-section is -1 \+- 1 pb; state it with --cross-section"):
        figures(hepmc3(sections=((-1, 1),)))
    assert figures(hepmc3(sections=((-1, 1),)), cross_section=(5, 0))[2] == (5, 0)


@pytest.mark.parametrize(
    "text",
    [
        hepmc2(),  # status 3, named by the E line
        hepmc2()  # a photon comes in, too
        .replace("V -1 0 0 0 0 0 2 4 0", "V -1 0 0 0 0 0 3 4 0")
        .replace("P 10002 -11", "P 10009 22 0 0 1 1 0 3 0 0 -1 0\nP 10002 -11"),
        hepmc2(beams="0 0"),  # not named: the first two that no vertex makes
        hepmc2(statuses=(4, 4)),
        hepmc2(others=(4, 4, 1, 1)),  # others of status 4
        hepmc3(beams=(3, 3)),
        hepmc3(),
    ],
)
def test_beams_are_found_as_rivet_finds_them(text, figures, tmp_path):
    figures(text)
    batch = next(EventFile(tmp_path / "events.hepmc").batches())
    assert batch.id[batch.status == 4].tolist() == [11, -11] * 3
    assert batch.e[batch.offsets[:-1]].tolist() == [91.2] * 3


def test_events_without_beams_are_refused_or_told_their_beams(figures, tmp_path):
    text = hepmc3(beams=(12, 12))
    message = r"events\.hepmc: event 0 .*has 0 particles of status 4 .*--beams 11 -11 91\.2"
    with pytest.raises(InputError, match=message):
        figures(text)
    assert figures(text, beams=StatedBeams((11, -11), 91.2)) == figures(hepmc3())
    path = tmp_path / "events.hepmc"
    whole = {item.path: item for item in analyse(path, ["ALEPH_1996_S3486095"], beams=StatedBeams((11, -11), 91.2))}
    path.write_text(hepmc3())
    for item in analyse(path, ["ALEPH_1996_S3486095"]):
        if isinstance(item, yoda.Histo1D):
            np.testing.assert_allclose(whole[item.path].sums[:, 0], item.sums[:, 0], rtol=1e-9)
    out = tmp_path / "out.yoda"
    path.write_text(text)
    call("analyse", path, "-a", OPAL, "-o", out, "--beams", "11", "-11", "91.2")
    assert yoda.read(out)["/RAW/_EVTCOUNT"].entries == 3
    for stated in (("11", "-11", "-3"), ("0", "-11", "91"), ("2212", "2212", "1"), ("11", "-11", "nan")):
        said = call("analyse", path, "-a", OPAL, "-o", out, "--beams", *stated, code=2).stderr
        assert "expected two PDG codes and the energy" in said


def test_beams_of_an_archive(data, tmp_path):
    with np.load(data / "lep91_200.npz") as stored:
        arrays = dict(stored)
    status = arrays["sthep"].copy()
    status[arrays["offsets"][5] + np.flatnonzero(status[arrays["offsets"][5] :] == 4)[0]] = 12
    np.savez(tmp_path / "events.npz", **arrays | {"sthep": status})
    with pytest.raises(InputError, match=r"events\.npz: event 5 has 1 particles of status 4"):
        next(EventFile(tmp_path / "events.npz").batches())
    batch = next(EventFile(tmp_path / "events.npz", beams=StatedBeams((2212, -2212), 1960)).batches())
    assert batch.id[batch.status == 4].tolist() == [2212, -2212] * 200
    np.testing.assert_allclose(batch.e[batch.status == 4], 980, rtol=1e-12)
    assert batch.offsets.tolist() == (arrays["offsets"] + 2 * np.arange(201)).tolist()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress, lambda text: b"\xef\xbb\xbf" + text])
def test_packing_is_told_by_content(pack, tmp_path):
    for name in ("events.hepmc", "events.hepmc.gz"):
        (tmp_path / name).write_bytes(pack(hepmc3().encode()))
        assert sum(len(batch) for batch in EventFile(tmp_path / name).batches()) == 3


@pytest.mark.parametrize("content", ["", "hello world\n", "\0" * 64])
def test_a_file_without_events_is_not_passed_over(content, tmp_path):
    (tmp_path / "good.hepmc").write_text(hepmc3())
    (tmp_path / "none.hepmc").write_text(content)
    with pytest.raises(InputError, match=r"none\.hepmc"):
        analyse([tmp_path / "good.hepmc", tmp_path / "none.hepmc"], [OPAL])
    # events enough: the other is not needed
    assert analyse([tmp_path / "good.hepmc", tmp_path / "none.hepmc"], [OPAL], max_events=3)


def test_what_ends_a_packed_file_early_is_said(tmp_path):
    path = tmp_path / "events.hepmc"
    packed = gzip.compress(hepmc3(events=200).encode())
    path.write_bytes(packed[:-6])
    with pytest.raises(InputError, match=r"events\.hepmc: the file is cut short"):
        list(EventFile(path).batches())


def run(*words, **options) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "sbitune", *map(str, words)], capture_output=True, **options)


def test_events_come_through_pipes_and_standard_input(tmp_path):
    fifo = tmp_path / "events.hepmc"
    os.mkfifo(fifo)
    writer = threading.Thread(target=lambda: fifo.write_text(hepmc3()), daemon=True)
    writer.start()
    assert sum(len(batch) for batch in EventFile(fifo).batches()) == 3
    writer.join(5)
    out = tmp_path / "out.yoda"
    result = run("analyse", "-", "-a", OPAL, "-o", out, input=gzip.compress(hepmc3().encode()))
    assert (result.returncode, result.stderr) == (0, b"")
    assert yoda.read(out)["/RAW/_EVTCOUNT"].entries == 3
    result = run("analyse", "-", "-a", OPAL, "-o", tmp_path / "none.yoda", input=b"")
    assert result.returncode == 2
    assert b"no events in -" in result.stderr


@pytest.fixture
def waiting(tmp_path):
    """A pipe that gives two events and half of the third, and then nothing, until the test is over."""
    fifo, done = tmp_path / "events.hepmc", threading.Event()
    os.mkfifo(fifo)
    text = hepmc3()

    def write():
        # who reads may be killed before anything is written
        with contextlib.suppress(BrokenPipeError), fifo.open("w") as stream:
            stream.write(text[: text.index("E 2 ") + 60])
            stream.flush()
            done.wait(30)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    yield fifo
    done.set()
    os.close(os.open(fifo, os.O_RDONLY | os.O_NONBLOCK))  # the writer may still wait for a reader
    writer.join(5)


def test_a_reader_that_dies_is_a_message(waiting):
    """What pyhepmc does to the process on some files is done to it from outside."""
    with open_hepmc(Reading(str(waiting)), size=100) as reader:
        end = time.monotonic() + 60
        while reader.events < 2 and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(reader.pid, signal.SIGSEGV)
        with pytest.raises(InputError) as refused:
            next(reader.batches())
    said = str(refused.value)
    assert said.startswith(f"{waiting}: the process in which pyhepmc reads ended: signal SIGSEGV; it was at event 2")
    assert "--max-events 2" in said


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the system does not tell what processes there are")
def test_the_command_line_survives_its_reader(waiting, tmp_path):
    words = ["analyse", str(waiting), "-a", OPAL, "-o", str(tmp_path / "out.yoda")]
    with subprocess.Popen(
        [sys.executable, "-m", "sbitune", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        end = time.monotonic() + 60
        while not (found := children(process.pid)) and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(found[0], signal.SIGABRT)
        out, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == ""
    assert re.fullmatch(rf"sbitune: {waiting}: the process in which pyhepmc reads ended: signal SIGABRT; .*\n", said)
    assert not (tmp_path / "out.yoda").exists()


def test_a_generator_by_a_command_tells_why_its_events_were_refused(tmp_path):
    (tmp_path / "events.hepmc").write_text(hepmc3(beams=(4, 12)))
    command = f"{sys.executable} -m sbitune analyse events.hepmc -a {OPAL} -o out.yoda"
    with pytest.raises(
        ComputationError, match=r"exit code 2; it printed: .*events\.hepmc: event 0 .*has 1 particles of status 4"
    ):
        run_command(CommandConfig(command=command, output="out.yoda"), tmp_path, {}, tmp_path)


def test_the_reader_ends_with_what_uses_it(waiting):
    with open_hepmc(Reading(str(waiting))) as reader:
        pid = reader.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_process_whose_parent_is_gone_does_not_wait_for_ever(tmp_path):
    fifo = tmp_path / "events.hepmc"
    os.mkfifo(fifo)
    code = (
        "import os, sys; from sbitune.generators.hepmc.files import Reading, open_hepmc;"
        "c = open_hepmc(Reading(sys.argv[1])); print(c.__enter__().pid, flush=True); os._exit(0)"
    )
    made = subprocess.run([sys.executable, "-c", code, str(fifo)], capture_output=True, text=True, check=True)
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            os.kill(int(made.stdout), 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.kill(int(made.stdout), signal.SIGKILL)
    pytest.fail("the reader still waits")
