"""Values of expressions whose syntax tree was checked: arithmetic in double precision, and conditions that know where
they are undefined.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
COMPARISONS = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
FUNCTIONS = {"log": np.log, "exp": np.exp, "sqrt": np.sqrt, "abs": np.abs, "log10": np.log10}
#: the function of numbers that gives a condition
IS_FINITE = "isfinite"


class Truth(NamedTuple):
    """A condition: an undefined number (NaN) makes it neither true nor false, unless another condition decides."""

    true: np.ndarray
    undefined: np.ndarray | None  #: None: nowhere; else false wherever `true` is true


Value = np.ndarray | float


def evaluate(node: ast.expr, arrays: Mapping[str, np.ndarray]) -> "Truth | Value":
    """The value of a tree that `sbitune.data.text.expressions` has checked; `arrays` are those of its names."""
    if isinstance(node, ast.Constant):
        return node.value  # pyright: ignore[reportReturnType]
    if isinstance(node, ast.Name):
        array = arrays[node.id]
        return Truth(array, None) if array.dtype.kind == "b" else array
    if isinstance(node, ast.BoolOp):
        truths = [_truth(part, arrays) for part in node.values]
        return _all_of(truths) if isinstance(node.op, ast.And) else _not(_all_of([_not(truth) for truth in truths]))
    if isinstance(node, ast.Compare):
        parts = [evaluate(part, arrays) for part in (node.left, *node.comparators)]
        pairs = zip(node.ops, parts[:-1], parts[1:], strict=True)
        return _all_of([_compare(COMPARISONS[type(op)], left, right) for op, left, right in pairs])
    if isinstance(node, ast.UnaryOp):
        if isinstance(node.op, ast.Not):
            return _not(_truth(node.operand, arrays))
        inner = _number(node.operand, arrays)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp):
        return BINARY[type(node.op)](_number(node.left, arrays), _number(node.right, arrays))
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    argument = _number(node.args[0], arrays)
    return Truth(np.isfinite(argument), None) if node.func.id == IS_FINITE else FUNCTIONS[node.func.id](argument)


def _number(node: ast.expr, arrays: Mapping[str, np.ndarray]) -> Value:
    """An operand of arithmetic, which is done in double precision: whole numbers have no 2**-1."""
    return np.asarray(evaluate(node, arrays), float)[()]


def _truth(node: ast.expr, arrays: Mapping[str, np.ndarray]) -> Truth:
    found = evaluate(node, arrays)
    assert isinstance(found, Truth)
    return found


def _compare(compare: Callable, left: Any, right: Any) -> Truth:
    """Compare as the operands are: whole numbers beyond 2^53 keep their last digit."""
    undefined = np.isnan(left) | np.isnan(right)
    true = np.asarray(compare(left, right))
    return Truth(true & ~undefined, undefined) if undefined.any() else Truth(true, None)


def _all_of(truths: list[Truth]) -> Truth:
    true, undefined = truths[0]
    for other in truths[1:]:
        if undefined is not None or other.undefined is not None:
            mine = np.zeros_like(true) if undefined is None else undefined
            its = np.zeros_like(other.true) if other.undefined is None else other.undefined
            undefined = (mine & its) | (mine & other.true) | (its & true)
        true = true & other.true
    return Truth(true, undefined)


def _not(truth: Truth) -> Truth:
    return Truth(~truth.true if truth.undefined is None else ~(truth.true | truth.undefined), truth.undefined)
