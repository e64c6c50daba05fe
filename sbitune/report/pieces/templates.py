"""Templates of pages, filled by Jinja2: every text is escaped, and a value that is missing is an error.

A page is made of parts: records that say which template shows them, which knows its record as `part`.
"""

from functools import cache
from typing import Any, ClassVar, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined


class Part(Protocol):
    """What a page is made of."""

    template: ClassVar[str]  #: its file, relative to `sbitune/report`


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sbitune", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {}  # keys in their order
    return environment


def render(template: str, **values: Any) -> str:
    """Fill a template."""
    return _environment().get_template(template).render(**values)
