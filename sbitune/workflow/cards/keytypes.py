"""Types of the keys of a card, as `msgspec.inspect` gives them, and what is said of them."""

from typing import Any

from msgspec import inspect as types


def plain(info: Any) -> Any:
    """The type by itself, where a description stands with it."""
    while isinstance(info, types.Metadata):
        info = info.type
    return info


def described(info: Any) -> str:
    """The description that stands with a type, `msgspec.Meta(description=...)`; empty where there is none."""
    if not isinstance(info, types.Metadata):
        return ""
    return (info.extra_json_schema or {}).get("description") or described(info.type)
