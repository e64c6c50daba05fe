"""Parts of a page: records of plain text, which their templates escape."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from sbitune.report.pieces.templates import Part


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    words: str
    kind: str = ""  #: "quiet", "warning", "verdict", "verdict bad": how it is set
    template: ClassVar[str] = "pieces/paragraph.html"


@dataclass(frozen=True)
class Preformatted:
    """Text whose lines are kept."""

    text: str
    template: ClassVar[str] = "pieces/preformatted.html"


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    items: Sequence[str]
    template: ClassVar[str] = "pieces/items.html"


@dataclass(frozen=True)
class Section:
    """A section with an anchor."""

    name: str  #: the anchor
    title: str
    parts: Sequence[Part]
    template: ClassVar[str] = "pieces/section.html"


@dataclass(frozen=True)
class Navigation:
    """Links to sections."""

    sections: Sequence[Section]
    template: ClassVar[str] = "pieces/navigation.html"


@dataclass(frozen=True)
class Figure:
    """A drawing with its caption."""

    svg: str  #: of `sbitune.plots`, which escapes what it writes: it is put in as it is
    caption: str = ""
    kind: str = ""  #: "single" and "matrix" are of their own width
    template: ClassVar[str] = "pieces/figure.html"


@dataclass(frozen=True)
class Figures:
    """Drawings side by side."""

    figures: Sequence[Figure]
    template: ClassVar[str] = "pieces/figures.html"


class Cell(NamedTuple):
    """A cell of a table."""

    words: object
    kind: str = ""  #: "number", "path", "good", "bad": how it is set; several with spaces between them


@dataclass(frozen=True)
class Table:
    """A table; see `table`."""

    head: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    template: ClassVar[str] = "pieces/table.html"


def table(head: Sequence[str], rows: Iterable[Sequence[object]], numbers: Iterable[int] = ()) -> Table:
    """Make a table; the columns in `numbers` are set flush right. A cell may be a (text, kind) pair; columns in which
    no row has a text are left out.
    """
    right = set(numbers)
    body = [[Cell(*v) if isinstance(v, tuple) else Cell(v) for v in row] for row in rows]
    filled = [i for i in range(len(head)) if not body or any(row[i].words != "" for row in body)]

    def set_in(i: int, cell: Cell) -> Cell:
        return Cell(cell.words, f"number {cell.kind}".rstrip() if i in right else cell.kind)

    return Table(
        [set_in(i, Cell(head[i])) for i in filled],
        [[set_in(i, row[i]) for i in filled] for row in body],
    )
