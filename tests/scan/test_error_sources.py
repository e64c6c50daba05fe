"""Labels of error sources: independent from bin to bin, or shared by the bins of an observable."""

from pathlib import Path

import numpy as np
import pytest

from sbitune.data import yoda
from sbitune.data.error_sources import Opinion, decide
from sbitune.data.errors import InputError
from sbitune.data.reference import Reference, Source, read_reference

INDEPENDENT = (
    "stat|stats|stat.|STAT|statistical|Statistical uncertainty|stat. unc.|Data stat.|MC stat.|mcstat|DataStat|"
    "Data statistical error|sys,MC statistics|sys,unfolding stat|stat,Stat|stat+sys|stat,sys|total|total uncertainty|"
    "error|uncertainty|uncor|uncorr.|uncorrelated|sys,uncorr|sys_uncorr|sys,Uncorrelated|sys,suncor|"
    "sys,suncor,-0.0003125:mat|sys,bin-to-bin uncorrelated|sys,non-correlated|point-to-point|uncorrelated between bins"
)
SHARED = (
    "sys|syst|sys_1|sys,total|total systematic|sys,uncertainty|sys,lumi|lumi|norm|JES|JES Statistical|sys,corr|"
    "stat,corr|bin-to-bin correlated|EffectiveNP Statistical1|stat,MUON_EFF_STAT|MUON_EFF_TrigStatUncertainty|"
    "stat,Muon_Fit_Stat|EL_EFF_Reco_TOTAL_1NPCOR_PLUS_UNCOR|uncorrelated between years|sys,corrections|"
    "sys,uncorrected background|error on the luminosity|static field|status|theory"
)


@pytest.mark.parametrize("label", INDEPENDENT.split("|"))
def test_labels_that_say_independent(label: str) -> None:
    assert decide([label])[label].independent


@pytest.mark.parametrize("label", SHARED.split("|"))
def test_labels_of_sources_that_bins_share(label: str) -> None:
    assert not decide([label])[label].independent


def test_numbered_sources_are_components_if_there_are_more_than_two() -> None:
    assert all(decision.independent for decision in decide(["stat_1", "stat_2"]).values())
    components = decide(["Statistical1", "Statistical2", "Statistical3", "stat"])
    assert [decision.independent for decision in components.values()] == [False, False, False, True]
    assert components["Statistical1"].why == "one of 3 numbered components"


def test_a_decision_says_from_what() -> None:
    why = {label: decision.why for label, decision in decide(["stat", "sys,uncorr", "stat,MUON_EFF_STAT"]).items()}
    assert why == {
        "stat": "statistical, by its label",
        "sys,uncorr": "its label says uncorrelated",
        "stat,MUON_EFF_STAT": "the statistics of a source that its label names: muon eff",
    }


def reference_file(place: Path, *labels: str, sign: float = -1.0) -> Path:
    """Two objects of four points, an error of 0.1 for each label."""
    objects = []
    for path in ("/REF/A/d01", "/REF/A/d02"):
        points = np.stack([np.arange(4) + 0.5, np.full(4, 5.0)], axis=1)
        errors = np.stack([np.full(4, 0.5), np.full(4, 0.1 * np.sqrt(len(labels)))], axis=1)
        sources = {label: np.tile([sign * 0.1, 0.1], (4, 1)) for label in labels}
        objects.append(yoda.Scatter(path, points, errors, errors, sources))
    yoda.write(place, objects)
    return place


def shared_of(reference: Reference) -> list[str]:
    return sorted(reference.correlated())


def test_a_user_who_knows_better_says_it_by_label_or_file(tmp_path: Path) -> None:
    file = reference_file(tmp_path / "a.yoda", "stat", "sys,lumi", "sys,jes")
    assert shared_of(read_reference([file])) == [f"/A/d0{i}: sys,{s}" for i in (1, 2) for s in ("jes", "lumi")]
    said = Opinion(independent=("SYS,J*",), shared=("stat",), said="as the paper has it")
    one = read_reference([Source(file, said)])
    assert shared_of(one) == [f"/A/d0{i}: {s}" for i in (1, 2) for s in ("stat", "sys,lumi")]
    assert one.decisions()["/A/d01"]["stat"].why == "as the paper has it"
    assert shared_of(read_reference([Source(file, Opinion(independent=("*",)))])) == []


def test_what_is_said_of_a_file_holds_for_that_file(tmp_path: Path) -> None:
    first = reference_file(tmp_path / "a.yoda", "sys")
    text = first.read_text().replace("/A/", "/B/")
    (tmp_path / "b.yoda").write_text(text)
    both = read_reference([Source(first, Opinion(independent=("sys",))), tmp_path / "b.yoda"])
    assert shared_of(both) == ["/B/d01: sys", "/B/d02: sys"]
    assert shared_of(both.take(np.arange(12))) == ["/B/d01: sys"]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (Opinion(independent=("lumni",)), "no error source is labelled 'lumni'; the nearest are sys,lumi"),
        (Opinion(("sys,lumi",), ("sys*",)), "'sys,lumi' is said to be independent .'sys,lumi'. and shared .'sys.'."),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, said: Opinion, message: str) -> None:
    file = reference_file(tmp_path / "a.yoda", "stat", "sys,lumi")
    with pytest.raises(InputError, match=message):
        read_reference([Source(file, said)])


def test_shifts_that_are_magnitudes_are_not_taken_for_none(tmp_path: Path) -> None:
    """YODA 1 writes downward errors as its interface was given them, often without a sign."""
    signed = read_reference([reference_file(tmp_path / "a.yoda", "stat", "sys")]).correlated()
    unsigned = read_reference([reference_file(tmp_path / "b.yoda", "stat", "sys", sign=1.0)]).correlated()
    assert list(signed) == list(unsigned) == ["/A/d01: sys", "/A/d02: sys"]
    np.testing.assert_allclose(unsigned["/A/d01: sys"], [0.1] * 4 + [0] * 4)
    np.testing.assert_allclose(signed["/A/d01: sys"], unsigned["/A/d01: sys"])


def test_real_references_change_only_where_a_label_says_uncorrelated() -> None:
    """As it was before by the beginning of the label; one of 81 files says `suncor`."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "reference"
    if not folder.is_dir():
        pytest.skip("the folder shared/reference is not beside this checkout")
    changed = set()
    for file in sorted(folder.glob("*.yoda")):
        for path, labels in read_reference([file]).decided.items():
            for label, decision in labels.items():
                if decision.independent != label.startswith(("stat", "uncor", "error", "total")):
                    assert "suncor" in label
                    changed.add((file.name, path))
    assert {name for name, _ in changed} == {"ATLAS_2017_I1509919.yoda"}
    assert len(changed) == 32
