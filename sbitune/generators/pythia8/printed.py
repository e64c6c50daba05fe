"""What Pythia says on the C standard output: caught, and searched for the reason of a refusal."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from typing import Any

from sbitune.data.errors import InputError

_ABSENT = 'Pythia 8 is not installed; run: pip install "sbitune[pythia]"'


def import_pythia() -> Any:
    """Import pythia8mc. Raises `InputError` telling how to install it."""
    try:
        import pythia8mc
    except ImportError as error:
        raise InputError(_ABSENT) from error
    return pythia8mc


def pythia_version() -> str:
    """The version of the package, which belongs to what a run is made of. Raises `InputError` if it is not there."""
    try:
        return metadata.version("pythia8mc")
    except metadata.PackageNotFoundError as error:
        raise InputError(_ABSENT) from error


@contextlib.contextmanager
def caught_output() -> Iterator[Any]:
    """Redirect the process's standard output, C++ included, into a file that is given."""
    sys.stdout.flush()
    with tempfile.TemporaryFile(mode="w+") as caught:
        saved = os.dup(1)
        os.dup2(caught.fileno(), 1)
        try:
            yield caught
        finally:
            sys.stdout.flush()
            os.dup2(saved, 1)
            os.close(saved)


def refusal_in(printed: Any) -> str:
    """Give the reason of a refusal from what was caught; what Pythia calls an error or abort stands for the whole."""
    printed.seek(0)
    lines = [line.strip() for line in printed.read().splitlines() if line.strip() and line.strip()[0] not in "|*-"]
    telling = [line for line in lines if re.search(r"PYTHIA (Error|Abort)|not found|not recogni|Error", line)] or lines
    # ` PYTHIA Error in Settings::parm: value is out of range stringz:alund`: Pythia's own functions tell users nothing
    reasons = (re.sub(r"^PYTHIA (Error|Abort)( (in|from) [\w:~]+?)?: +", "", line).rstrip(" :") for line in telling)
    return "; ".join(list(dict.fromkeys(reason for reason in reasons if reason))[:4]) or "no reason was printed"
