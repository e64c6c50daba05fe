"""The expected number of events as a card gives it: a number, or a formula of parameters, which JAX can trace."""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.data.sobol import sobol_points
from sbitune.data.text.evaluation import BINARY
from sbitune.data.text.expressions import compile_expression
from sbitune.data.text.numbers import quoted

_FUNCTIONS = {"log": jnp.log, "exp": jnp.exp, "sqrt": jnp.sqrt, "abs": jnp.abs, "log10": jnp.log10}
#: points of the ranges at which a number must be one
_POINTS = 256


def number_of(given: float | str | None, parameters: Sequence[Parameter]) -> Callable[[Mapping[str, Any]], Any] | None:
    """A function of parameters by name; None for a number that is not given.

    Raises `InputError` for what is no formula of the parameters.
    """
    if given is None:
        return None
    if not isinstance(given, str):
        return lambda theta: jnp.asarray(float(given))
    formula = compile_expression(given, "expected", {p.name: False for p in parameters})
    if formula.is_condition:
        raise InputError(f"{quoted(given)} is a condition, not a number of events", code="ratio-no-number")
    return lambda theta: _value(formula.tree, {word: theta[name] for word, name in formula.used.items()})


def check_number(given: float | str | None, parameters: Sequence[Parameter]) -> None:
    """Raise `InputError` for a number of events that is not above 0 somewhere in the ranges, or no number."""
    number = number_of(given, parameters)
    if number is None:
        return
    low, high = np.array([(p.low, p.high) for p in parameters]).T
    inside = low + (high - low) * sobol_points(_POINTS, len(low), seed=0)
    for theta in np.stack([low, high, *inside]):
        found = float(number(dict(zip((p.name for p in parameters), theta.tolist(), strict=True))))
        if not (np.isfinite(found) and found > 0):
            at = ", ".join(f"{p.name} = {value:g}" for p, value in zip(parameters, theta, strict=True))
            raise InputError(
                f"{given if isinstance(given, str) else f'{given:g}'}: the number of expected events must be above 0 "
                f"everywhere in the ranges; at {at} it is {found:g}",
                code="ratio-no-number",
            )


def _value(node: ast.expr, given: Mapping[str, Any]) -> Any:
    """Of a tree that `compile_expression` has checked."""
    if isinstance(node, ast.Constant):
        return jnp.asarray(float(node.value))  # pyright: ignore[reportArgumentType]
    if isinstance(node, ast.Name):
        return jnp.asarray(given[node.id], float)
    if isinstance(node, ast.UnaryOp):
        inner = _value(node.operand, given)
        return -inner if isinstance(node.op, ast.USub) else inner
    if isinstance(node, ast.BinOp):
        return BINARY[type(node.op)](_value(node.left, given), _value(node.right, given))
    assert isinstance(node, ast.Call)
    assert isinstance(node.func, ast.Name)
    return _FUNCTIONS[node.func.id](_value(node.args[0], given))
