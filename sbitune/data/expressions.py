"""Formulas of one variable in cards, read without `eval`: numbers, the variable, + - * / **, and a few functions."""

import ast
import operator
import re
import warnings
from collections.abc import Callable

import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.numbers import finite, quoted

_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
#: letters of a formula, at most: brackets in these are too few to be too deep
_LONGEST = 300
#: what a formula may be written with
_LETTERS = re.compile(r"[A-Za-z0-9_.+\-*/(), ]*")
_FUNCTIONS = {"log": np.log, "exp": np.exp, "sqrt": np.sqrt, "abs": np.abs, "log10": np.log10}


def compile_formula(text: str, where: str, variable: str = "x") -> Callable[[np.ndarray], np.ndarray]:
    """Turn a formula into a function of an array. Raises `InputError` naming `where` for anything but arithmetic.

    >>> compile_formula("log(x) + x**2", "card")(np.array([1.0]))
    array([1.])
    """
    odd = _LETTERS.sub("", text)
    if odd or len(text) > _LONGEST:
        told = f"the character {odd[0]!r}" if odd else f"it has more than {_LONGEST} letters"
        raise InputError(f"{where}: cannot read the formula {quoted(text)}: {told}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of words that begin with digits
            tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        told = getattr(error, "msg", error)
        raise InputError(f"{where}: cannot read the formula {quoted(text)}: {told}") from error
    _check(tree, text, where, variable)
    return lambda x: _evaluate(tree, np.asarray(x, float))


def _check(node: ast.expr, text: str, where: str, variable: str) -> None:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        try:
            finite(ast.get_source_segment(text, node) or "")
        except ValueError as error:
            raise InputError(f"{where}: in the formula {quoted(text)}: {error}") from error
        return
    if isinstance(node, ast.Name) and node.id == variable:
        return
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.UAdd):
        _check(node.operand, text, where, variable)
        return
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        _check(node.left, text, where, variable)
        _check(node.right, text, where, variable)
        return
    if isinstance(node, ast.Call) and _is_known(node):
        _check(node.args[0], text, where, variable)
        return
    raise InputError(
        f"{where}: {quoted(ast.unparse(node))} in the formula {quoted(text)} is not understood; "
        f"use {variable}, numbers, + - * / ** and {', '.join(_FUNCTIONS)}"
    )


def _is_known(node: ast.Call) -> bool:
    known = isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
    return known and len(node.args) == 1 and not node.keywords


def _evaluate(node: ast.expr, x: np.ndarray) -> np.ndarray:
    if isinstance(node, ast.Constant):
        return np.full_like(x, float(node.value))  # pyright: ignore[reportArgumentType]
    if isinstance(node, ast.UnaryOp):
        inner = _evaluate(node.operand, x)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)](_evaluate(node.left, x), _evaluate(node.right, x))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _FUNCTIONS[node.func.id](_evaluate(node.args[0], x))
    return x
