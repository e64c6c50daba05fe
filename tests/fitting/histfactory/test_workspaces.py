"""Workspaces of pyhf: read to its likelihood, written so that it reads them, refused where it refuses them."""

import copy
import json

import numpy as np
import pytest
from helpers.workspaces import model, uncorrelated_background, workspace

from sbitune.data.errors import InputError
from sbitune.data.parameter import Parameter
from sbitune.fitting.bridges.pyhf_counts import make_counts_workspace, write_counts_workspace
from sbitune.fitting.bridges.pyhf_import import open_workspace, read_workspace
from sbitune.fitting.likelihood.histfactory.channel import Channel, Sample
from sbitune.fitting.likelihood.histfactory.model import HistFactory
from sbitune.fitting.likelihood.histfactory.modifiers import NormFactor, NormSys
from sbitune.fitting.likelihood.product import Product
from sbitune.fitting.likelihood.terms.constraints import Constraint
from sbitune.fitting.likelihood.terms.counts import CountedBins
from sbitune.fitting.minimise.minimiser import fit

pyhf = pytest.importorskip("pyhf")
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver:DeprecationWarning")  # as pyhf 0.7.6 uses it


@pytest.fixture(autouse=True)
def numpy_backend():
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer())


def differences(problem, content, n=4):
    """-2 log L of both between random points: (n - 1, 2)."""
    opened = pyhf.Workspace(content)
    theirs = opened.model()
    data, rng = opened.data(theirs), np.random.default_rng(4)
    rows = []
    with problem.computing():
        objective = problem.objective()
        for _ in range(n):
            theta = np.array([p.default + rng.normal(0, 0.9 if p.low < 0 else 0.05) for p in problem.parameters])
            point = dict(zip(objective.frame.names, theta, strict=True))
            flat = [point.get(name, 1.0) for name in theirs.config.par_names]
            ours = objective.point(objective.frame.to_unit(theta)).value
            rows.append((ours, -2 * float(theirs.logpdf(flat, data)[0])))
    return np.diff(rows, axis=0).T


def test_what_is_read_and_written_again_is_the_likelihood_of_pyhf(tmp_path):
    (tmp_path / "w.json").write_text(json.dumps(workspace()))
    read = read_workspace(tmp_path / "w.json")
    assert (read.interest, read.measurement, read.notes) == ("mu", "m", ())
    np.testing.assert_allclose(*differences(read.problem, workspace()), rtol=1e-9)
    write_counts_workspace(tmp_path / "again.json", read.problem, "mu")
    content = json.loads((tmp_path / "again.json").read_text())
    np.testing.assert_allclose(*differences(read.problem, content), rtol=1e-9)
    again = open_workspace(content)
    assert again.problem.parameters == read.problem.parameters
    for ours, theirs in zip(again.problem.data, read.problem.data, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_errors_are_those_of_the_exact_hessian():
    """Fitted with MIGRAD, and the closed-form second derivatives of the likelihood there."""
    content = uncorrelated_background()
    content["measurements"][0]["config"]["parameters"].append({"name": "mu", "bounds": [[-5.0, 10.0]]})
    found = fit(open_workspace(content).problem)
    mu, gamma = found.values[0], found.values[1:]
    signal, background, n = np.array([12.0, 11.0]), np.array([50.0, 52.0]), np.array([51.0, 48.0])
    tau, expected = (background / [3.0, 7.0]) ** 2, signal * mu + background * gamma
    half = np.zeros((3, 3))
    half[0, 0] = np.sum(n * signal**2 / expected**2)
    half[0, 1:] = half[1:, 0] = n * signal * background / expected**2
    half[[1, 2], [1, 2]] = n * background**2 / expected**2 + tau / gamma**2
    np.testing.assert_allclose(found.errors, np.sqrt(np.diag(np.linalg.inv(half))), rtol=1e-6)
    assert abs(np.sum(signal * (1 - n / expected))) < 1e-3 / found.errors[0]
    theirs = pyhf.infer.mle.fit([51, 48, *tau], pyhf.Workspace(content).model())
    assert np.all(np.abs(found.values - theirs) < 0.01 * found.errors)  # as far as pyhf goes


def edited(place, value):
    content = copy.deepcopy(workspace())
    *way, last = place
    inner = content
    for step in way:
        inner = inner[step]
    if value is None:
        del inner[last]
    elif isinstance(inner, list) and last == len(inner):
        inner.append(value)
    else:
        inner[last] = value
    return content


SIGNAL_PLACE = ("channels", 0, "samples", 0)
PARAMETERS_PLACE = ("measurements", 0, "config", "parameters")
FAULTS = {
    "version": (("version",), "2.0.0", "workspace-schema", "version: "),
    "no channels": (("channels",), None, "workspace-schema", "the workspace: Object missing required field `channels`"),
    "kind": (
        (*SIGNAL_PLACE, "modifiers", 0, "type"),
        "overallsys",
        "workspace-schema",
        "channels[0].samples[0].mod",
    ),
    "text": ((*SIGNAL_PLACE, "data", 1), "12", "workspace-schema", "channels[0].samples[0].data[1]: Expected `float`"),
    "more": ((*SIGNAL_PLACE, "color"), "red", "workspace-schema", "unknown field `color`"),
    "bins": ((*SIGNAL_PLACE, "data"), [1.0], "modifier-bins", "channel region: sample signal: "),
    "interest": (("measurements", 0, "config", "poi"), "mv", "workspace-interest", "interest mv is none of the model"),
    "lumi": ((*PARAMETERS_PLACE, 0), None, "constraint-without-measurement", "lumi: the lumi has no auxiliary"),
    "counts": (("observations", 0, "data"), [1.0], "channel-counts", "channel region: 1 observed counts for 3 bins"),
    "unobserved": (("observations", 1), None, "channel-counts", "channel control: 0 observed counts for 2 bins"),
    "sigmas": (
        (*PARAMETERS_PLACE, 1),
        {"name": "scale", "sigmas": [2.0]},
        "setting-name",
        "scale: sigmas are for lumi and staterror",
    ),
    "length": ((*PARAMETERS_PLACE, 1), {"name": "mu", "inits": [1.0, 2.0]}, "setting-length", "2 values for 1 param"),
    "free": ((*PARAMETERS_PLACE, 1), {"name": "mu", "auxdata": [1.0]}, "setting-name", "nothing measures a normfactor"),
    "twice": ((*PARAMETERS_PLACE, 2), {"name": "lumi", "auxdata": [1.0]}, "workspace-twice", "parameter lumi is there"),
    "measurements": (("measurements",), [], "workspace-measurement", "there is no measurement"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_pyhf_refuses_is_refused_with_the_place(fault):
    place, value, code, says = FAULTS[fault]
    content = edited(place, value)
    with pytest.raises(InputError) as caught:
        open_workspace(content)
    assert caught.value.code == code
    assert says in str(caught.value)
    with pytest.raises(Exception):  # noqa: B017  (of many kinds)
        theirs_of(content)


def theirs_of(content):
    opened = pyhf.Workspace(content)
    model = opened.model()
    return model.logpdf(model.config.suggested_init(), opened.data(model))


def test_what_pyhf_takes_and_hides_is_said():
    up_is_down = edited((*SIGNAL_PLACE, "modifiers", 2, "data"), {"hi": 1.1, "lo": 1.1})
    with pytest.raises(InputError, match="channel region: sample signal: normsys scale: up and down are the same") as e:
        open_workspace(up_is_down)
    assert e.value.code == "modifier-up-is-down"
    twice = edited((*SIGNAL_PLACE, "modifiers", 5), {"name": "mu", "type": "normfactor", "data": None})
    with pytest.raises(InputError, match="the modifier normfactor mu is there twice") as e:
        open_workspace(twice)
    assert e.value.code == "workspace-twice"
    still = edited((*SIGNAL_PLACE, "modifiers", 5), {"name": "no", "type": "normsys", "data": {"hi": 1.0, "lo": 1}})
    assert open_workspace(still).notes == ("channel region, sample signal: no changes nothing and is left out",)
    unused = edited((*PARAMETERS_PLACE, 2), {"name": "nobody", "fixed": True})
    assert "there is no nobody" in open_workspace(unused).notes[0]
    unseen = edited(("observations", 2), {"name": "x", "data": [1.0]})
    assert open_workspace(unseen).notes == ("observations: there is no channel x; its counts are left out",)
    with pytest.raises(InputError, match="there is no other"):
        open_workspace(workspace(), measurement="other")


def test_files_that_are_none_are_named(tmp_path):
    (tmp_path / "w.json").write_text('{"channels": [')
    with pytest.raises(InputError, match=r"w\.json: no JSON, or not whole"):
        read_workspace(tmp_path / "w.json")
    (tmp_path / "w.json").write_text("{}")
    with pytest.raises(InputError, match=r"w\.json: the workspace: Object missing"):
        read_workspace(tmp_path / "w.json")


def test_fixed_parameters_and_ranges_survive():
    content = edited((*PARAMETERS_PLACE, 2), {"name": "mc", "fixed": True})
    content["measurements"][0]["config"]["parameters"].append({"name": "mu", "bounds": [[-3.0, 7.0]], "inits": [2.0]})
    problem = open_workspace(content).problem
    assert problem.fixed == {f"mc[{i}]": 1.0 for i in range(3)}
    assert problem.parameters[0] == Parameter("mu", -3.0, 7.0, default=2.0)
    again = open_workspace(make_counts_workspace(problem, "mu")).problem
    assert (again.fixed, again.parameters) == (problem.fixed, problem.parameters)


def test_one_staterror_of_several_channels_is_numbered_as_pyhf_does():
    content = uncorrelated_background()
    content["channels"][0]["samples"][1]["modifiers"].append({"name": "mc", "type": "staterror", "data": [1.0, 2.0]})
    other = copy.deepcopy(content["channels"][0])
    other["name"], other["samples"][0]["modifiers"] = "another", []
    other["samples"][1]["modifiers"] = [{"name": "mc", "type": "staterror", "data": [5.0, 4.0]}]
    content["channels"].append(other)
    content["observations"].append({"name": "another", "data": [60.0, 61.0]})
    problem = open_workspace(content).problem
    np.testing.assert_allclose(*differences(problem, content), rtol=1e-9)
    np.testing.assert_allclose(*differences(problem, make_counts_workspace(problem, "mu")), rtol=1e-9)


def test_what_no_workspace_can_hold_is_refused():
    bins = CountedBins("bins", np.array([5.0]), lambda p: p["mu"] * np.ones(1))
    plain = Channel("c", [Sample("s", np.ones(1), [NormFactor("mu"), NormSys("a", 1.1, 0.9)])])
    counted = HistFactory([plain]).counted({"c": [5.0]})
    a, mu = Parameter("a", -5.0, 5.0), Parameter("mu", 0.0, 10.0)
    for terms, parameters, says in (
        ([bins], [mu], "bins: a workspace holds counts of a `Channel`"),
        (counted, [mu, a], "a: there is no constraint, and a normsys has one"),
        ([*counted, Constraint("a", 0.0, 2.0)], [mu, a], "has the error 2"),
        ([*counted, Constraint("a", 0.0, 1.0), Constraint("mu", 1.0, 1.0)], [mu, a], "mu: there is a constraint, and"),
        ([*counted, Constraint("a", 0.0, 1.0), Constraint("b", 1.0, 1.0)], [mu, a, Parameter("b", 0, 2)], "no bin dep"),
        (model("code1").product({"region": [1] * 3, "control": [1] * 2}).terms, model().parameters, "takes code4 and"),
    ):
        with pytest.raises(InputError, match=says) as caught:
            make_counts_workspace(Product(terms, parameters), "mu")
        assert caught.value.code == "workspace-term"
    with pytest.raises(InputError, match="mv is no parameter of the fit; there are mu, a"):
        make_counts_workspace(Product([*counted, Constraint("a", 0.0, 1.0)], [mu, a]), "mv")
