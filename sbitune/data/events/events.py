"""`Events`: named columns of events with weights, groups and flags, and where they come from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.events.checking import check_columns, check_flags, check_groups, check_names, check_weights, first_row
from sbitune.data.events.origins import Origin, spell_origins
from sbitune.data.events.ragged import Ragged, frozen, share_offsets, take_ragged
from sbitune.data.events.roles import GROUP, weight_name
from sbitune.data.events.rows import Rows, as_rows
from sbitune.data.text.expressions import Expression, compile_expression
from sbitune.data.text.names import list_names, nearest

#: (n_events, ...) numbers or truths, or another number of entries in every event
Column = np.ndarray | Ragged
#: rows whose formulas are evaluated at once: what lies between two operations stays in the processor's cache
_BLOCK = 1 << 16


@dataclass(frozen=True, eq=False, repr=False)
class Events:
    """A table of events. Nothing of it can be written to; slices of it are views.

    Construction raises one `InputError` for a wrong name, shape or type and for a weight that is not finite.
    """

    columns: Mapping[str, Column]  #: by name: (n_events, ...), or `Ragged`
    weights: np.ndarray  #: (n_events, n_variations) float64
    variations: tuple[str, ...] = ("",)  #: names of the weights; the first is the nominal one, which has none
    groups: np.ndarray | None = None  #: (n_events,) int64: events of one group belong together
    flags: Mapping[str, np.ndarray] = field(default_factory=dict)  #: by name: (n_events,) bool
    origins: tuple[Origin, ...] = ()  #: files and runs from which they come
    table: str = ""  #: the file that they were read from, which may have been made from those

    def __post_init__(self) -> None:
        where = self.where
        weights = check_weights(where, self.weights, self.variations)
        n = len(weights)
        columns = check_columns(where, self.columns, n)
        flags = check_flags(where, self.flags, n)
        groups = None if self.groups is None else check_groups(where, self.groups, n)
        check_names(where, columns, flags, self.variations, groups is not None)
        object.__setattr__(self, "columns", MappingProxyType(columns))
        object.__setattr__(self, "weights", frozen(weights))
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "flags", MappingProxyType(flags))

    @classmethod
    def of(
        cls,
        columns: Mapping[str, Column],
        weights: np.ndarray | None = None,
        variations: Sequence[str] = ("",),
        groups: np.ndarray | None = None,
        flags: Mapping[str, np.ndarray] | None = None,
        origins: Sequence[Origin] = (),
        table: str = "",
    ) -> "Events":
        """Make a table; without weights all are 1 and take no memory, weights (n_events,) are nominal ones."""
        flags = {} if flags is None else flags
        if weights is None:
            lengths = [len(a) for a in (*columns.values(), *flags.values(), *([] if groups is None else [groups]))]
            weights = np.broadcast_to(1.0, (lengths[0] if lengths else 0, 1))
        weights = np.asarray(weights)
        ragged = [name for name, column in columns.items() if isinstance(column, Ragged)]
        shared = share_offsets([columns[name] for name in ragged])  # pyright: ignore[reportArgumentType]
        columns = {**columns, **dict(zip(ragged, shared, strict=True))}
        weights = weights[:, None] if weights.ndim == 1 else weights
        return cls(columns, weights, tuple(variations), groups, flags, tuple(origins), table)

    def __repr__(self) -> str:
        """Show numbers and names, not arrays."""
        flags = f", flags {list_names(self.flags)}" if self.flags else ""
        columns = list_names(self.columns)
        weights = list_names(weight_name(variation) for variation in self.variations)
        return f"<{len(self)} events of {self.where}: {columns}{flags}, {weights}>"

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.weights)

    def __getitem__(self, name: str) -> Column:
        """Return a column, flag, weight (`weight`, `weight[NAME]`) or the groups (`group`) by name.

        Raises `InputError` with the names most like it.
        """
        named = self._named()
        if name not in named:
            raise InputError(f"{self.where}: there is no column {name!r}{nearest(name, named)}")
        return named[name]

    @property
    def weight(self) -> np.ndarray:
        """Nominal weights (n_events,)."""
        return self.weights[:, 0]

    @property
    def where(self) -> str:
        """The file that the events were read from, else where they come from, to begin a message with."""
        return self.table or spell_origins(self.origins)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays, shared offsets counted once."""
        arrays = {
            id(a): a for c in self.columns.values() for a in ([c.content, c.offsets] if isinstance(c, Ragged) else [c])
        }
        size = sum(array.nbytes for array in [*arrays.values(), *self.flags.values()])
        weights = self.weights.nbytes if any(self.weights.strides) else 0
        return size + weights + (0 if self.groups is None else self.groups.nbytes)

    def take(self, rows: Rows) -> "Events":
        """Return the events of a slice, of numbers (k,) or where a mask (n_events,) is true; of a slice as views."""
        rows = as_rows(self.where, rows, len(self))
        ragged = {name: column for name, column in self.columns.items() if isinstance(column, Ragged)}
        taken = dict(zip(ragged, take_ragged(list(ragged.values()), rows), strict=True))
        return replace(
            self,
            columns={name: taken[name] if name in taken else c[rows] for name, c in self.columns.items()},  # pyright: ignore
            weights=self.weights[rows],
            groups=None if self.groups is None else self.groups[rows],
            flags={name: flag[rows] for name, flag in self.flags.items()},
        )

    def only(self, names: Sequence[str]) -> "Events":
        """Return the events with these columns alone; weights, groups and flags stay."""
        for name in names:
            if name not in self.columns:
                raise InputError(f"{self.where}: there is no column {name!r}{nearest(name, self.columns)}")
        return replace(self, columns={name: self.columns[name] for name in names})

    def joined_with(self, columns: Mapping[str, Column]) -> "Events":
        """Return the events with further columns, or others in place of those of the same name."""
        return replace(self, columns={**self.columns, **columns})

    def evaluate(self, text: str, where: str = "") -> np.ndarray:
        """Evaluate an expression of columns, flags and weights: (n_events, ...) numbers, or truths of a condition.

        Args:
            text: as `sbitune.data.text.expressions.compile_expression` reads it, `mass > 3.3e3 & ~veto` say.
            where: begins messages, a card's key say; by default where the events come from.

        Raises:
            InputError: for an unknown name, columns of different shapes, ragged ones (see `derive`), a condition that
                is undefined at some event, or a number that is not finite at an event where the columns are.
        """
        found = self._compiled(text, where)
        used: dict[str, np.ndarray] = {}
        for name in found.names:
            column = self[name]
            if isinstance(column, Ragged):
                raise InputError(
                    f"{found.where}: {name!r} in {text!r} has another number of entries in every event; expected a "
                    "column of one number for each"
                )
            used[name] = column
        return _evaluated(found, used)

    def select(self, text: str, where: str = "") -> "Events":
        """Return the events for which a condition is true, `mass > 3.3e3 & nsub < 0.4` say; see `evaluate`."""
        mask = self.evaluate(text, where)
        if mask.dtype != bool or mask.ndim != 1:
            raise InputError(f"{where or self.where}: {text!r} selects no events; expected a condition, as x > 1 is")
        return self.take(mask)

    def derive(self, formulas: Mapping[str, str], where: str = "") -> "Events":
        """Return the events with columns computed one after the other; of ragged columns with equal offsets ragged."""
        events = self
        for name, text in formulas.items():
            events = events.joined_with({name: events._derived(text, where)})
        return events

    def slices(self, most_bytes: int = 64 << 20) -> Iterator["Events"]:
        """Yield the events in order, in views of some `most_bytes` at most, of one event at least."""
        rows = max(1, int(most_bytes * len(self) // max(1, self.nbytes)))
        for first in range(0, len(self), rows):
            yield self.take(slice(first, min(first + rows, len(self))))

    def _derived(self, text: str, where: str) -> Column:
        ragged = {name: c for name, c in self.columns.items() if isinstance(c, Ragged)}
        found = self._compiled(text, where)
        used = [ragged[name] for name in found.names if name in ragged]
        if not used:
            return self.evaluate(text, where)
        flat = [name for name in found.names if name not in ragged]
        if flat or any(c.offsets is not used[0].offsets for c in used):
            other = flat[0] if flat else found.names[-1]
            raise InputError(
                f"{found.where}: {text!r} uses columns of different shapes, {found.names[0]} and {other}; give ragged "
                "columns of the same particles alone"
            )
        entries = {name: ragged[name].content for name in found.names}
        return Ragged(_evaluated(found, entries), used[0].offsets)

    def _compiled(self, text: str, where: str) -> Expression:
        known = {name: column.dtype.kind == "b" for name, column in self._named().items()}
        return compile_expression(text, where or self.where, known)

    def _named(self) -> dict[str, Column]:
        """All that has a name."""
        weights = {weight_name(variation): self.weights[:, i] for i, variation in enumerate(self.variations)}
        groups = {} if self.groups is None else {GROUP: self.groups}
        return {**self.columns, **self.flags, **weights, **groups}


def _evaluated(expression: Expression, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Evaluate block by block."""
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{name} {found}" for name, found in shapes.items())
        raise InputError(f"{expression.where}: {expression.text!r} uses columns of different shapes: {told}")
    shape = next(iter(shapes.values()))
    result = np.empty(shape, bool if expression.is_condition else float)
    for first in range(0, shape[0], _BLOCK):
        block = {name: array[first : first + _BLOCK] for name, array in arrays.items()}
        result[first : first + _BLOCK] = expression(block, first)
        if not expression.is_condition:
            _check_finite(expression, block, result[first : first + _BLOCK], first)
    return result


def _check_finite(expression: Expression, arrays: Mapping[str, np.ndarray], result: np.ndarray, first: int) -> None:
    """Refuse what is not finite though what it was made of is."""
    bad = ~np.isfinite(result)
    if bad.any():
        for array in arrays.values():
            bad &= np.isfinite(array)
        if bad.any():
            row = first_row(bad)
            values = ", ".join(
                f"{name} = {array[row].item() if array.ndim == 1 else array[row]}" for name, array in arrays.items()
            )
            raise InputError(
                f"{expression.where}: {expression.text!r} is not finite at row {first + row}, where {values}; select "
                "the events for which it is defined first"
            )
