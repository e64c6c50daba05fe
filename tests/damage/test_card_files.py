"""Every file of a finished card, spoilt in every way that came to mind: the same numbers as before, or one message.

The card is small: a toy generator whose runs are all there, a polynomial, no toys. Every damage is met by one of the
commands, in turn.
"""

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from helpers import toyline

from sbitune.cli.main import main
from sbitune.report.tune.write import write_report
from sbitune.tuning.card import load_card
from sbitune.tuning.stages.pipeline import tune

RUN, OTHER_RUN = "work/scan/0003", "work/scan/0005"
NOTES = ("work/surrogate.json", "work/findings.json", f"{RUN}/run.json")
ARRAYS = ("work/scan.npz", "work/surrogate.npz", "work/fit.npz")
TEXTS = ("result.yaml", "tune.cmnd", f"{RUN}/params.dat", f"{RUN}/out.yoda", "work/validation/tuned.yoda")
COMMANDS = ("report", "fit", "tune")
Spoil = Callable[[Path, Path], None]  #: changes a file, given another of its kind


def make(directory: Path, b: float = 0.4) -> Path:
    toyline.make(directory, b=b, runs=12)
    toyline.edit(directory, "order: 3", "order: 1")
    toyline.edit(directory, "validation:", "fit: {toys: 0, minos: false, starts: 2}\nvalidation:")
    write_report(tune(load_card(directory)))
    return directory


@pytest.fixture(scope="module")
def cards(tmp_path_factory):
    """A finished card, and one of other data and other runs."""
    directory = tmp_path_factory.mktemp("cards")
    card = make(directory / "card")
    other = directory / "other"
    toyline.make(other, b=0.2, runs=12)
    shutil.copy(card / "card.yaml", other)
    toyline.edit(other, "seed: 4", "seed: 5")
    write_report(tune(load_card(other)))
    return card, other


def numbers(card: Path, validated: bool) -> str:
    """What a tune says; `validated`: with what the generator says of it."""
    record = yaml.safe_load((card / "result.yaml").read_text())
    for row in record["observables"]:
        row |= {} if validated else {"chi2_tuned": None, "chi2_default": None}
    keys = (
        "parameters",
        "chi2",
        "chi2_unit",
        "ndf",
        "observables",
        "excluded",
        *(("validation",) if validated else ()),
    )
    return json.dumps({key: record[key] for key in keys})


def meet(card: Path, command: str, sound: Path) -> None:
    """Run a command on a card that is spoilt: it gives the numbers of the sound one, or ends with one message."""
    page = card / "report.html"
    if command == "report":
        page.unlink(missing_ok=True)
    result = CliRunner().invoke(main, [command, str(card)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    said = [line for line in result.stderr.splitlines() if line.startswith("sbitune: ")]
    assert (result.exit_code, len(said)) in ((0, 0), (2, 1)), result.stderr
    if result.exit_code == 0:
        assert numbers(card, command != "fit") == numbers(sound, command != "fit")
    if command == "report":
        assert page.exists() == (result.exit_code == 0)
    if command == "report" and page.exists():
        assert page.read_text() == (sound / "report.html").read_text()


def gone(file: Path, other: Path) -> None:
    file.unlink()


def text(content: str) -> Spoil:
    return lambda file, other: file.write_text(content) and None


def cut(part: float) -> Spoil:
    def spoil(file: Path, other: Path) -> None:
        content = file.read_bytes()
        file.write_bytes(content[: int(part * len(content))])

    return spoil


def replaced(file: Path, other: Path) -> None:
    shutil.copy(other, file)


def byte(place: float) -> Spoil:
    def spoil(file: Path, other: Path) -> None:
        content = bytearray(file.read_bytes())
        content[int(place * len(content))] ^= 1
        file.write_bytes(content)

    return spoil


ANY: dict[str, Spoil] = {
    "gone": gone,
    "empty": text(""),
    "cut": cut(0.5),
    "cut at the end": cut(0.98),
    "other": replaced,
    "byte": byte(0.4),
    "zeros": text("\0" * 300),
    "words": text("this is none\n"),
}


def key_lost(key: str) -> Spoil:
    def spoil(file: Path, other: Path) -> None:
        read, write = (json.loads, json.dumps) if file.suffix == ".json" else (yaml.safe_load, yaml.safe_dump)
        content = read(file.read_text())
        assert key in content
        file.write_text(write({k: v for k, v in content.items() if k != key}))

    return spoil


def array_changed(name: str, change: Callable[[np.ndarray], np.ndarray | None]) -> Spoil:
    def spoil(file: Path, other: Path) -> None:
        with np.load(file) as stored:
            arrays = dict(stored)
        key = next(key for key in arrays if key.rpartition("/")[2] == name)  # of a part of a surrogate, too
        changed = change(arrays.pop(key))
        np.savez(file, **(arrays if changed is None else arrays | {key: changed}))

    return spoil


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray | None]] = {
    "lost": lambda a: None,
    "of length 1": lambda a: a.ravel()[:1],
    "longer": lambda a: np.concatenate([a, a]),
    "not finite": lambda a: np.full(a.shape, np.nan),
    "of whole numbers": lambda a: np.ones(a.shape, int),
    "text": lambda a: np.full(a.shape, "x"),
    "other numbers": lambda a: a + 0.5,
}


def damages() -> Iterator[tuple[str, str, Spoil]]:
    for file in (*NOTES, *ARRAYS, *TEXTS):
        for name, spoil in ANY.items():
            yield file, name, spoil
    for file in NOTES:
        for content in ("[]", "7", "null", '"x"', "{}", "[" * 20_000, '{"about": 5, "made_of": [], "findings": 3}'):
            yield file, f"is {content[:9]}", text(content)
    for key in ("made_of", "surrogate", "about", "hash"):
        yield "work/surrogate.json", f"without {key}", key_lost(key)
    for key in ("findings", "scan", "made_of", "hash"):
        yield "work/findings.json", f"without {key}", key_lost(key)
    for key in ("output", "fingerprint", "files", "parameters", "events", "hash"):
        yield f"{RUN}/run.json", f"without {key}", key_lost(key)
    for key in ("format", "parameters", "covariance", "provenance", "validation", "answer", "chi2"):
        yield "result.yaml", f"without {key}", key_lost(key)
    yield "result.yaml", "is a list", text("[1, 2]\n")
    arrays = {
        "work/fit.npz": ("errors", "weights"),
        "work/scan.npz": ("values", "theta"),
        "work/surrogate.npz": ("tau",),
    }
    for (file, names), (how, change) in itertools.product(arrays.items(), CHANGES.items()):
        for name in names:
            yield file, f"{name} {how}", array_changed(name, change)


def cases() -> Iterator[object]:
    for number, (file, name, spoil) in enumerate(damages()):
        command = COMMANDS[number % len(COMMANDS)]
        marks = () if number % 32 == 0 else pytest.mark.slow
        yield pytest.param(command, file, spoil, id=f"{command}, {Path(file).name} {name}", marks=marks)


@pytest.mark.parametrize(("command", "file", "spoil"), list(cases()))
def test_a_spoilt_file_changes_no_number_in_silence(cards, tmp_path, command, file, spoil):
    card, other = cards
    copy = tmp_path / "card"
    shutil.copytree(card, copy)
    spoil(copy / file, card / file.replace(RUN, OTHER_RUN) if RUN in file else other / file)
    meet(copy, command, card)
