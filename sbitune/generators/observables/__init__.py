"""Observables: event batches in, the histograms of published analyses out.

Every module in the folder of a machine, `lep` and `lhc`, is one analysis, and its file name in capitals is its name. To
add an analysis, add a file with an `Analysis` called ANALYSIS, and its measured data to `sbitune.data.measured`.
`framework` holds what they share, `kernels` the compiled loops.
"""

from sbitune.generators.eventfiles import analyse
from sbitune.generators.observables.framework.addition import add_raw
from sbitune.generators.observables.framework.analysis import Analysis, Booking, Energy
from sbitune.generators.observables.framework.finalise import as_rivet4
from sbitune.generators.observables.framework.registry import available, load, register
from sbitune.generators.observables.framework.run import AnalysisRun, finalize_raw, merge_runs
from sbitune.generators.observables.framework.warming import compile_kernels
from sbitune.generators.observables.kernels.particles import hepmc_status

__all__ = [
    "Analysis",
    "AnalysisRun",
    "Booking",
    "Energy",
    "add_raw",
    "analyse",
    "as_rivet4",
    "available",
    "compile_kernels",
    "finalize_raw",
    "hepmc_status",
    "load",
    "merge_runs",
    "register",
]
