"""Formulas in cards and selections of events, read without `eval`: numbers, names, + - * / **, a few functions,
comparisons, and `&`, `|`, `~` between them.

`&` and `|` bind more loosely than comparisons, as on paper: `mass > 3.3e3 & nsub < 0.4` are two conditions. A name that
is no word of letters, digits and `_` stands in backticks: `` `jet pt` > 30 ``.
"""

import ast
import re
import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.text.evaluation import BINARY, COMPARISONS, FUNCTIONS, IS_FINITE, Truth, evaluate
from sbitune.data.text.names import nearest
from sbitune.data.text.numbers import finite, quoted

#: letters of a formula and of an expression of columns, at most; and how deep it may be nested, a sum of so many terms
_LONGEST, _LONGEST_EXPRESSION, _DEEPEST = 300, 600, 300
#: what a formula may be written with; an expression of columns has conditions, too
_LETTERS = re.compile(r"[A-Za-z0-9_.+\-*/(), ]*")
_EXPRESSION_LETTERS = re.compile(r"[A-Za-z0-9_.+\-*/(), <>=!&|~]*")
_QUOTED = re.compile("`([^`]*)`")
#: signs of logic and the words that bind as loosely as is meant
_LOGIC = ((re.compile("&&?"), " and "), (re.compile(r"\|\|?"), " or "), (re.compile("~|!(?!=)"), " not "))


class Expression(NamedTuple):
    """A checked expression of named arrays."""

    text: str
    where: str  #: begins a message
    used: Mapping[str, str]  #: names in the tree -> names of arrays
    is_condition: bool  #: whether it gives truths, not numbers
    tree: ast.expr

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays that it uses, each once."""
        return tuple(dict.fromkeys(self.used.values()))

    def __call__(self, arrays: Mapping[str, np.ndarray], first_row: int = 0) -> np.ndarray:
        """Evaluate, element by element.

        Args:
            arrays: of every name, all of one shape (n, ...).
            first_row: what number the first row has in messages.

        Returns:
            float64 or bool, of the arrays' shape; of an expression without names a scalar array.

        Raises `InputError` if a condition is undefined somewhere.
        """
        with np.errstate(all="ignore"):
            found = evaluate(self.tree, {word: arrays[name] for word, name in self.used.items()})
        if not isinstance(found, Truth):
            return np.asarray(found, float)
        if found.undefined is not None and found.undefined.any():
            row = first_row + int(np.unravel_index(np.argmax(found.undefined), found.undefined.shape)[0])
            raise InputError(
                f"{self.where}: {quoted(self.text)} is neither true nor false at row {row}, where a number is not "
                f"defined (nan); add a condition such as {IS_FINITE}({self.names[0]}) &"
            )
        return np.asarray(found.true, bool)


def compile_formula(text: str, where: str, variable: str = "x") -> Callable[[np.ndarray], np.ndarray]:
    """Turn a formula into a function of an array. Raises `InputError` naming `where` for anything but arithmetic.

    >>> compile_formula("log(x) + x**2", "card")(np.array([1.0]))
    array([1.])
    """
    tree = _parse(text, text, where, "formula", _LETTERS, _LONGEST)
    checked = _Check(text, text, where, "formula", {variable: False}, {})
    checked.expect(tree, False)

    def formula(x: np.ndarray) -> np.ndarray:
        x = np.asarray(x, float)
        found = evaluate(tree, {variable: x})
        assert not isinstance(found, Truth)
        return np.asarray(found) if np.shape(found) == x.shape else np.full_like(x, found)

    return formula


def compile_expression(text: str, where: str, known: Mapping[str, bool]) -> Expression:
    """Turn an expression of named arrays into a function of them.

    Args:
        text: such as `mass > 3.3e3 & ~(nsub < 0.4 | vetoed)` or `sqrt(px**2 + py**2)`.
        where: begins a message.
        known: names of arrays, and whether each holds truths.

    Raises:
        InputError: it is no such expression, arithmetic of truths among them, or has an unknown name, which is named
            with those most like it.

    >>> found = compile_expression("1 < x <= 3 & ~veto", "card", {"x": False, "veto": True})
    >>> found({"x": np.array([1.0, 2.0, 3.0]), "veto": np.array([False, False, True])})
    array([False,  True, False])
    """
    spelt: dict[str, str] = {}

    def place(match: re.Match[str]) -> str:
        word = f"quoted_{len(spelt)}_"
        while word in text or word in known:
            word += "_"
        spelt[word] = match[1]
        return word

    plain = _QUOTED.sub(place, text)
    for sign, word in _LOGIC:
        plain = sign.sub(word, plain)
    tree = _parse(text, plain.strip(), where, "expression", _EXPRESSION_LETTERS, _LONGEST_EXPRESSION)
    checked = _Check(text, plain.strip(), where, "expression", known, spelt)
    condition = checked.kind(tree)
    if not checked.used:
        raise InputError(f"{where}: the expression {quoted(text)} uses no column{nearest('', known)}")
    return Expression(text, where, checked.used, condition, tree)


def _parse(text: str, plain: str, where: str, what: str, letters: re.Pattern[str], longest: int) -> ast.expr:
    odd = letters.sub("", plain)
    if odd or len(text) > longest:
        told = f"the character {odd[0]!r}" if odd else f"it has more than {longest} letters"
        raise InputError(f"{where}: cannot read the {what} {quoted(text)}: {told}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of words that begin with digits
            return ast.parse(plain, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        told = getattr(error, "msg", error)
        raise InputError(f"{where}: cannot read the {what} {quoted(text)}: {told}") from error


class _Check:
    """Whether every part of a tree is known, and of the kind that its place asks for."""

    def __init__(
        self, text: str, plain: str, where: str, what: str, known: Mapping[str, bool], spelt: Mapping[str, str]
    ) -> None:
        self._text, self._plain, self._where, self._what = text, plain, where, what
        self._known, self._spelt = known, spelt
        self.used: dict[str, str] = {}

    def expect(self, node: ast.expr, condition: bool, depth: int = 0) -> None:
        """Refuse a part that is no condition where one is asked for, or a condition where a number is."""
        if self.kind(node, depth) != condition:
            asked = "a condition, as x > 1 is" if condition else "a number, not a condition"
            raise self._error(f"{quoted(ast.unparse(node))} in {{}} is not understood here; expected {asked}")

    def kind(self, node: ast.expr, depth: int = 0) -> bool:
        """Whether a part is a condition."""
        if depth > _DEEPEST:
            raise self._error("{} is nested too deeply; write it in parts")
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return self._constant(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd | ast.Not):
            return self._all([node.operand], isinstance(node.op, ast.Not), depth)
        if isinstance(node, ast.BinOp) and type(node.op) in BINARY:
            return self._all([node.left, node.right], False, depth)
        if isinstance(node, ast.BoolOp):
            return self._all(node.values, True, depth)
        if isinstance(node, ast.Compare) and all(type(op) in COMPARISONS for op in node.ops):
            return not self._all([node.left, *node.comparators], False, depth)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and self._is_known(node):
            self._all(node.args, False, depth)
            return node.func.id == IS_FINITE
        raise self._misunderstood(node)

    def _all(self, nodes: list[ast.expr], condition: bool, depth: int) -> bool:
        for node in nodes:
            self.expect(node, condition, depth + 1)
        return condition

    def _constant(self, node: ast.Constant) -> bool:
        try:
            finite(ast.get_source_segment(self._plain, node) or "")
        except ValueError as error:
            raise self._error(f"in {{}}: {error}") from error
        return False

    def _name(self, node: ast.Name) -> bool:
        name = self._spelt.get(node.id, node.id)
        if name in self._known:
            self.used[node.id] = name
            return self._known[name]
        if self._what == "formula":
            raise self._misunderstood(node)
        raise self._error(f"{quoted(name)} in {{}} is not known{nearest(name, self._known)}")

    def _is_known(self, node: ast.Call) -> bool:
        assert isinstance(node.func, ast.Name)
        known = node.func.id in FUNCTIONS or (node.func.id == IS_FINITE and self._what == "expression")
        return known and len(node.args) == 1 and not node.keywords

    def _misunderstood(self, node: ast.expr) -> InputError:
        functions = ", ".join(FUNCTIONS)
        if self._what == "formula":
            remedy = f"use {next(iter(self._known))}, numbers, + - * / ** and {functions}"
        else:
            remedy = f"use names, numbers, + - * / **, < <= > >= == != & | ~, {functions} and {IS_FINITE}"
        return self._error(f"{quoted(ast.unparse(node))} in {{}} is not understood; {remedy}")

    def _error(self, words: str) -> InputError:
        return InputError(f"{self._where}: " + words.replace("{}", f"the {self._what} {quoted(self._text)}"))
