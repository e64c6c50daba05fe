"""Where events come from."""

from collections.abc import Iterable
from typing import NamedTuple

from sbitune.data.text.names import list_names


class Origin(NamedTuple):
    """One place from which events were read or made; what is not known is empty."""

    file: str = ""
    table: str = ""  #: tree of a ROOT file, group of an HDF5 file
    run: str = ""  #: of a generator's campaign
    hash: str = ""  #: of the file's content, as `storage.files.hash_file` has it, or the fingerprint of the run


def spell_origins(origins: Iterable[Origin]) -> str:
    """Where events come from, to begin a message with.

    >>> spell_origins([Origin("a.root", "tree")]), spell_origins([])
    ('a.root (tree)', 'events')
    """
    places = [f"{o.file} ({o.table})" if o.file and o.table else o.file or o.run for o in origins]
    return list_names(dict.fromkeys(filter(None, places))) if any(places) else "events"
