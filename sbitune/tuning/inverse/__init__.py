"""The inverse model: from bins to parameters. See `model`."""

from sbitune.tuning.inverse.calibration import Calibration, calibrate
from sbitune.tuning.inverse.checks import calibrate_on_runs
from sbitune.tuning.inverse.config import InverseConfig
from sbitune.tuning.inverse.inside import Inside, Outside
from sbitune.tuning.inverse.model import InverseModel
from sbitune.tuning.inverse.storage import load_inverse, save_inverse
from sbitune.tuning.inverse.summary import Comparison, InverseSummary, compare
from sbitune.tuning.inverse.training import train_inverse

__all__ = [
    "Calibration",
    "Comparison",
    "Inside",
    "InverseConfig",
    "InverseModel",
    "InverseSummary",
    "Outside",
    "calibrate",
    "calibrate_on_runs",
    "compare",
    "load_inverse",
    "save_inverse",
    "train_inverse",
]
