"""Writing a scan as run directories, the layout that Professor, Apprentice and `read_runs` share."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from sbitune.data import yoda
from sbitune.data.formats.parameters import write_values
from sbitune.data.formats.professor import PARAMETER_FILES
from sbitune.data.scan import Scan
from sbitune.data.scatters import scatters_of
from sbitune.data.storage.directories import check_names, whole_directory

OUTPUT = "out.yoda"
#: give back every bit
DIGITS = 17


def write_runs(
    directory: str | Path, scan: Scan, version: Literal[1, 2] = 1, parameter_file: str = PARAMETER_FILES[0]
) -> None:
    """Write `directory/RUN/params.dat` and `directory/RUN/out.yoda` for every run, all or nothing.

    Histograms become scatters with the contents and errors of the scan's bins; numbers come back exactly. Reading gives
    the runs in the order of their names, and the bins of a histogram one after the other. What the layout has no place
    for is lost: the box and the defaults of the parameters (pass `scan.parameters` to `read_runs`) and the correlation
    of Monte Carlo errors between bins.

    Args:
        directory: must not be there, or be empty.
        scan: what to write.
        version: of YODA, 1 for Professor and Apprentice.
        parameter_file: name of the file of parameters.

    Raises:
        InputError: the directory is not empty, or a run, path or bin cannot be written, with its name.
    """
    check_names(scan.runs)
    names = [parameter.name for parameter in scan.parameters]
    with whole_directory(directory) as temporary:
        for row, run in enumerate(scan.runs):
            scatters = scatters_of(scan.bins, scan.values[row], scan.errors[row])
            write_values(temporary / run / parameter_file, dict(zip(names, scan.theta[row].tolist(), strict=True)))
            yoda.write(temporary / run / OUTPUT, scatters, version, DIGITS)


def number_runs(scan: Scan) -> Scan:
    """The scan with its runs called 0000, 0001, ... in their order, wide enough that names sort as numbers."""
    width = max(4, len(str(len(scan.runs) - 1)))
    return replace(scan, runs=tuple(f"{row:0{width}d}" for row in range(len(scan.runs))))
