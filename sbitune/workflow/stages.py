"""Stages: what each leaves is kept under a key of all that made it, and made again when that has changed.

One process at a time works on a card. A product is a file with a note beside it, a JSON file that holds a hash of its
own lines, the key of what the product was made of, the product's own hash, and what is known of it.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sbitune.data.errors import InputError, naming_file
from sbitune.data.storage.files import hash_file
from sbitune.data.storage.locks import locked
from sbitune.data.storage.sealed import DamagedError, read_sealed, write_sealed
from sbitune.workflow.cards.cardfile import CardFile
from sbitune.workflow.results.sealednotes import as_record


class StaleError(InputError):
    """What a stage left is not what it left, or not what the card asks for now: the stage is to be repeated."""


@contextlib.contextmanager
def writing(loaded: CardFile[Any]) -> Iterator[None]:
    """Hold the lock of a card: what its stages leave is of one process.

    Raises `InputError` if another sbitune is at work on the card.
    """
    with locked(loaded.work / ".lock", f"another sbitune is at work on {loaded.path}; wait for it or stop it"):
        yield


class Note(msgspec.Struct, frozen=True):
    """What is noted beside a product."""

    made_of: dict[str, str]
    """Key of what made it."""
    product: str
    """Hash of its file."""
    about: Any
    """What is known of it, a record of the family."""


class Product(NamedTuple):
    """A file that a stage leaves, and how it is spoken of."""

    path: Path
    note: Path  #: the JSON file that tells what made it
    what: str  #: what is in it, in messages: `scan`
    #: part of the key -> what that is called in messages: {"scan": "the scan"}
    words: Mapping[str, str]
    about: Any = dict[str, Any]  #: type of what is noted of it
    check: Callable[[Any], None] = lambda about: None  #: raises `InputError` if that cannot be
    made: str = "made"  #: what was done with it, in words: `trained`

    def write_note(self, made_of: Mapping[str, str], about: Mapping[str, Any], path: Path | None = None) -> None:
        """Write down what the product was made of, and what is known of it; `path` is where it lies, if not here."""
        content = {"made_of": dict(made_of), self.what: hash_file(path or self.path), "about": dict(about)}
        write_sealed(self.note, content)

    def read_note(self) -> Note:
        """Read the note. Raises `DamagedError` if it is not what this sbitune wrote."""
        what = f"note of the {self.what}"
        content = read_sealed(self.note, what)
        if self.what not in content:
            raise DamagedError(f"{self.note}: {self.what} is missing")
        note = as_record(self.note, content | {"product": content[self.what]}, Note, what)
        about = as_record(self.note, note.about, self.about, what, "about")
        try:
            with naming_file(self.note):
                self.check(about)
        except InputError as error:
            raise DamagedError(str(error)) from error
        return msgspec.structs.replace(note, about=about)

    def why_not(self, wanted: Mapping[str, str]) -> str | None:
        """Why the product that is there cannot be used, in words; None if it can: it was made of just what is wanted
        and is what was made. Empty if there is none.
        """
        if not self.path.exists() and not self.note.exists():
            return ""
        try:
            note = self.read_note()
            if note.made_of == wanted:
                same = hash_file(self.path, self.what) == note.product
                return None if same else f"{self.path} is not what was {self.made}"
        except InputError as error:
            return str(error)
        keys = dict.fromkeys((*self.words, *wanted, *note.made_of))
        changed = [self.words.get(key, key) for key in keys if note.made_of.get(key) != wanted.get(key)]
        return f"{' and '.join(changed)} changed"
