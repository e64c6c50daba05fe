"""A likelihood with all modifiers of HistFactory, as ours and as a workspace of pyhf."""

import numpy as np

from sbitune.fitting.likelihood.histfactory.channel import Channel, Sample
from sbitune.fitting.likelihood.histfactory.model import HistFactory, Setting
from sbitune.fitting.likelihood.histfactory.modifiers import (
    HistoSys,
    Lumi,
    NormFactor,
    NormSys,
    ShapeFactor,
    ShapeSys,
    StatError,
)

SIGNAL = Sample(
    "signal",
    np.array([5.0, 12.0, 3.0]),
    [
        NormFactor("mu"),
        Lumi(),
        NormSys("scale", 1.1, 0.95),
        HistoSys("shape", np.array([6.0, 12.5, 2.5]), np.array([4.5, 11.0, 3.3])),
        StatError("mc", np.array([0.5, 0.7, 0.2])),
    ],
)
BACKGROUND = Sample(
    "background",
    np.array([50.0, 52.0, 0.0]),
    [
        Lumi(),
        NormSys("scale", 0.9, 1.05),
        NormSys("other", 1.3, 0.8),
        HistoSys("scale", np.array([52.0, 50.0, 1.0]), np.array([47.0, 53.0, 0.0])),
        ShapeSys("uncorrelated", np.array([3.0, 7.0, 1.0])),
        StatError("mc", np.array([2.0, 3.0, 0.0])),
    ],
)
CONTROL = Sample(
    "background", np.array([200.0, 180.0]), [NormSys("other", 1.2, 0.9), ShapeFactor("free"), Lumi()]
)  # fmt: skip
COUNTS = {"region": [60.0, 61.0, 4.0], "control": [210.0, 175.0]}
SETTINGS = {"lumi": Setting(measured=(1.0,), errors=(0.02,)), "scale": Setting(measured=(0.3,))}


def model(norm="code4", histo="code4p", settings=SETTINGS):
    kinds = {"normsys": norm, "histosys": histo}
    return HistFactory(
        [Channel("region", [SIGNAL, BACKGROUND], **kinds), Channel("control", [CONTROL], **kinds)], settings
    )


def workspace():
    """The same as pyhf has it."""

    def row(name, kind, data=None):
        return {"name": name, "type": kind, "data": data}

    def sample(of):
        rows = []
        for m in of.modifiers:
            kind, data = type(m).__name__.lower(), None
            if isinstance(m, NormSys):
                data = {"hi": m.up, "lo": m.down}
            elif isinstance(m, HistoSys):
                data = {"hi_data": m.up.tolist(), "lo_data": m.down.tolist()}
            elif isinstance(m, ShapeSys | StatError):
                data = m.errors.tolist()
            rows.append(row(m.name, kind, data))
        return {"name": of.name, "data": of.nominal.tolist(), "modifiers": rows}

    lumi = {"name": "lumi", "auxdata": [1.0], "sigmas": [0.02], "bounds": [[0.5, 1.5]], "inits": [1.0]}
    return {
        "channels": [
            {"name": "region", "samples": [sample(SIGNAL), sample(BACKGROUND)]},
            {"name": "control", "samples": [sample(CONTROL)]},
        ],
        "observations": [{"name": name, "data": data} for name, data in COUNTS.items()],
        "measurements": [
            {"name": "m", "config": {"poi": "mu", "parameters": [lumi, {"name": "scale", "auxdata": [0.3]}]}}
        ],
        "version": "1.0.0",
    }


def uncorrelated_background():
    """The one that pyhf's documentation begins with, `pyhf.simplemodels.uncorrelated_background`, data 51 and 48."""
    signal = [{"name": "mu", "type": "normfactor", "data": None}]
    background = [{"name": "uncorr_bkguncrt", "type": "shapesys", "data": [3.0, 7.0]}]
    samples = [
        {"name": "signal", "data": [12.0, 11.0], "modifiers": signal},
        {"name": "background", "data": [50.0, 52.0], "modifiers": background},
    ]
    return {
        "channels": [{"name": "singlechannel", "samples": samples}],
        "observations": [{"name": "singlechannel", "data": [51.0, 48.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
