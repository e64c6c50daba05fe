"""What a result was made of, and with which versions."""

import platform
from collections.abc import Mapping
from importlib import metadata

from sbitune import __version__
from sbitune.data.storage.files import hash_bytes

#: packages whose versions are noted
_PACKAGES = ("numpy", "scipy", "jax", "flax", "optax", "iminuit", "numba", "pythia8mc")


def provenance(made_of: Mapping[str, bytes], seeds: Mapping[str, int]) -> dict[str, str | int | float | dict]:
    """Versions, hashes of all that went into a result (`card`, `scan`, ...), and seeds."""
    return {
        "sbitune": __version__,
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
    } | {name: hash_bytes(content) for name, content in made_of.items()} | {
        f"seed_{name}": seed for name, seed in seeds.items()
    }  # fmt: skip


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
