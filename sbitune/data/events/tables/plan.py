"""Which columns of a file become columns, weights, groups and flags of `Events`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from sbitune.data.errors import InputError
from sbitune.data.events.roles import GROUP, variation_of
from sbitune.data.events.tables.table import Form
from sbitune.data.text.names import list_names, nearest, repeated, shorten


class TableRequest(NamedTuple):
    """What is wanted of a file of events. Without a word a column called `weight` is the nominal weight, `weight[NAME]`
    that of a variation, `group` the group, and every column of one truth for each event a flag.
    """

    columns: Sequence[str] | str | None = None  #: names; None: all that are nothing else
    weights: Sequence[str] | str | None = None  #: names, the nominal one first; a variation is called as its column
    groups: str | None = None  #: name; events of one number belong together
    flags: Sequence[str] | str | None = None  #: names; of whole numbers 0 and 1 are taken, too
    table: str = ""  #: tree of a ROOT file, group of an HDF5 file; needed if there are several
    not_finite: Literal["stop", "keep"] = "stop"  #: of numbers in columns; weights must be finite always
    hashed: bool = False  #: whether the origin has the hash of the file, which reads it once more


class Plan(NamedTuple):
    """What is read, by names in the file."""

    columns: tuple[str, ...]
    weights: dict[str, str]  #: name -> variation
    groups: str | None
    flags: tuple[str, ...]

    @property
    def names(self) -> list[str]:
        """Everything, each name once."""
        group = [] if self.groups is None else [self.groups]
        return list(dict.fromkeys([*self.columns, *self.weights, *group, *self.flags]))


def make_plan(forms: Mapping[str, Form], request: TableRequest) -> Plan:
    """Compare what is wanted with what there is.

    Raises `InputError` for a name that is not there, or for one of another type than its use asks for.
    """
    request = _listed(request)
    weights = _weights(forms, request)
    groups = request.groups if request.groups is not None else _group(forms, weights)
    taken = {*weights, *([] if groups is None else [groups])}
    if request.flags is None:
        named = set(request.columns or ())
        flags = [name for name, form in forms.items() if form.is_flag and name not in taken | named]
    else:
        flags = list(request.flags)
    taken |= set(flags)
    columns = [name for name in forms if name not in taken] if request.columns is None else list(request.columns)
    plan = Plan(tuple(columns), weights, groups, tuple(flags))
    if not plan.names:
        raise InputError("there is no column to read")
    _check_known(forms, plan.names)
    _check_forms(forms, plan)
    return plan


def _listed(request: TableRequest) -> TableRequest:
    """The request with a single name as a list of it. Raises `InputError` for a name that is there twice."""
    lists = {}
    for key in ("columns", "weights", "flags"):
        names = getattr(request, key)
        lists[key] = [names] if isinstance(names, str) else names
        if twice := repeated(lists[key] or ()):
            raise InputError(f"{shorten(twice[0])!r} is asked for twice among the {key}")
    return request._replace(**lists)


def _weights(forms: Mapping[str, Form], request: TableRequest) -> dict[str, str]:
    if request.weights is not None:
        names = list(request.weights)
        plain = [name if (variation := variation_of(name)) is None else variation for name in names]
        return {name: plain[i] if i else "" for i, name in enumerate(names)}
    named = {name: variation for name in forms if (variation := variation_of(name)) is not None}
    if named and "" not in named.values():
        raise InputError(f"there are weights of variations, {list_names(named)}, but no nominal `weight`; name it")
    return dict(sorted(named.items(), key=lambda item: item[1] != ""))


def _group(forms: Mapping[str, Form], weights: Mapping[str, str]) -> str | None:
    form = forms.get(GROUP)
    is_group = form is not None and form.dtype.kind in "iu" and form.shape == () and GROUP not in weights
    return GROUP if is_group else None


def _check_known(forms: Mapping[str, Form], names: Iterable[str]) -> None:
    for name in names:
        if name not in forms:
            raise InputError(f"there is no column {shorten(name)!r}{nearest(name, forms)}")


def _check_forms(forms: Mapping[str, Form], plan: Plan) -> None:
    for name in plan.names:
        form = forms[name]
        if form.fault or form.dtype.kind not in "biuf":
            raise InputError(
                f"column {shorten(name)!r} holds {form.fault or form.dtype}, not numbers or truths; name the columns "
                "that are wanted without it"
            )
    for what, names, kinds, expected in (
        ("weight", plan.weights, "iuf", "a number"),
        ("group", [] if plan.groups is None else [plan.groups], "iu", "a whole number"),
        ("flag", plan.flags, "biu", "a truth"),
    ):
        for name in names:
            if forms[name].dtype.kind not in kinds or forms[name].shape != ():
                raise InputError(
                    f"{what} {shorten(name)!r} is {spell_form(forms[name])}; expected {expected} per event"
                )


def spell_form(form: Form) -> str:
    """What a column holds, in words.

    >>> import numpy as np
    >>> spell_form(Form(np.dtype("f4"), None)), spell_form(Form(np.dtype("i8"), (2,)))
    ('float32, ragged', 'int64 of the shape (2,)')
    """
    if form.shape is None:
        return f"{form.dtype}, ragged"
    return f"{form.dtype} of the shape {form.shape}" if form.shape else str(form.dtype)
