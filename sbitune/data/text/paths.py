"""Object paths as Rivet writes them: `/ANALYSIS[:OPT=val]/dDD-xXX-yYY[WEIGHT]`, with `/REF` and `/RAW` copies."""

import re

_OPTIONS = re.compile(r":[^/\[\]]*(?=/|$)")


def is_final(path: str) -> bool:
    """Tell whether an object is one to fit and plot: finalised, nominal weight, no reference, nothing internal.

    >>> is_final("/ALEPH_1996_S3486095/d01-x01-y01"), is_final("/RAW/ALEPH_1996_S3486095/d01-x01-y01")
    (True, False)
    >>> is_final("/ALEPH_1996_S3486095/d01-x01-y01[MUR2]"), is_final("/_EVTCOUNT"), is_final("/ANA/_counter")
    (False, False, False)
    """
    parts = path.split("/")
    if len(parts) > 1 and parts[1] in ("RAW", "REF", "THY", "TMP"):
        return False
    return not path.endswith("]") and not any(part.startswith("_") or part == "TMP" for part in parts)


def split_weight(path: str) -> tuple[str, str]:
    """Give the path of an object without its weight, and the weight's name, which is empty for the nominal one.

    >>> split_weight("/A/d01-x01-y01[MUR1_MUF1]"), split_weight("/A/d01-x01-y01")
    (('/A/d01-x01-y01', 'MUR1_MUF1'), ('/A/d01-x01-y01', ''))
    """
    plain, bracket, name = path.removesuffix("]").partition("[")
    return (plain, name) if bracket and path.endswith("]") else (path, "")


def reference_key(path: str) -> str:
    """Give the path under which the measurement of an object is found: no `/REF`, options or weight.

    >>> reference_key("/PDG_HADRON_MULTIPLICITIES:ENERGY=91.2/d01-x01-y03[W1]")
    '/PDG_HADRON_MULTIPLICITIES/d01-x01-y03'
    >>> reference_key("/REF/PDG_HADRON_MULTIPLICITIES/d01-x01-y03")
    '/PDG_HADRON_MULTIPLICITIES/d01-x01-y03'
    """
    path = path.removeprefix("/REF").split("[")[0]
    return _OPTIONS.sub("", path)


def analysis_of(path: str) -> str:
    """Give the analysis name of a path.

    >>> analysis_of("/REF/ALEPH_1996_S3486095/d01-x01-y01")
    'ALEPH_1996_S3486095'
    """
    parts = reference_key(path).split("/")
    return parts[1] if len(parts) > 2 else ""
