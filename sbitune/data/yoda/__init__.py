"""The YODA format of both generations, in plain NumPy: read, write, points for fits, merging of runs."""

from sbitune.data.yoda.estimates import Estimate, Scatter
from sbitune.data.yoda.grids import Axis, BinnedFillable, Histo2D, Profile2D
from sbitune.data.yoda.hists import from_hist, to_hist
from sbitune.data.yoda.inert import to_estimate
from sbitune.data.yoda.library import from_yoda, to_yoda
from sbitune.data.yoda.merging import identical, merge
from sbitune.data.yoda.model import Counter, Histo1D, Profile1D
from sbitune.data.yoda.objects import Fillable, Object
from sbitune.data.yoda.points import Points, points
from sbitune.data.yoda.reader import loads, read
from sbitune.data.yoda.writer import dumps, write

__all__ = [
    "Axis",
    "BinnedFillable",
    "Counter",
    "Estimate",
    "Fillable",
    "Histo1D",
    "Histo2D",
    "Object",
    "Points",
    "Profile1D",
    "Profile2D",
    "Scatter",
    "dumps",
    "from_hist",
    "from_yoda",
    "identical",
    "loads",
    "merge",
    "points",
    "read",
    "to_estimate",
    "to_hist",
    "to_yoda",
    "write",
]
