"""The union of everything a YODA file may hold."""

from sbitune.data.yoda.estimates import Estimate, Scatter
from sbitune.data.yoda.grids import BinnedFillable, Histo2D, Profile2D
from sbitune.data.yoda.model import Counter, Histo1D, Profile1D

Fillable = Counter | Histo1D | Profile1D | Histo2D | Profile2D | BinnedFillable
Object = Fillable | Scatter | Estimate
