"""How Python is started for a part of the work: with sbitune's own code, wherever that is."""

import os
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def python_module(name: str) -> list[str]:
    """The command that runs a module of sbitune in a process of its own.

    `python -m` would look for modules in the directory where it is started first, and import a `yaml.py` that lies in
    a scan of others. Where that is the directory of sbitune's own code it is right to do so.
    """
    safe = [] if Path(os.getcwd()).resolve() == _ROOT else ["-P"]
    return [sys.executable, *safe, "-m", name]
