import numpy as np
import pytest

from sbitune.data import measured
from sbitune.data.errors import InputError
from sbitune.generators.observables import available


def test_every_analysis_has_its_data():
    assert measured.names() == available()


@pytest.mark.parametrize("name", measured.names())
def test_objects_are_labelled_and_finite(name):
    objects = measured.load(name)
    citation = measured.citation(name)
    assert any(journal in citation for journal in ("Phys.", "Eur.", "New J."))
    for path, scatter in objects.items():
        assert path == scatter.path
        assert path.startswith(f"/REF/{name}/d")
        assert scatter.annotations["Citation"] == citation
        assert int(scatter.annotations["IsRef"]) == 1
        assert ("InspireID" in scatter.annotations) == (not name.startswith("PDG"))
        assert np.isfinite(scatter.values).all()
        assert (scatter.minus[:, 0] >= 0).all()


def test_known_values():
    aleph = measured.load("ALEPH_1996_S3486095")
    assert aleph["/REF/ALEPH_1996_S3486095/d01-x01-y01"].values[0, 1] == pytest.approx(12.36)
    pions = measured.load("PDG_HADRON_MULTIPLICITIES")["/REF/PDG_HADRON_MULTIPLICITIES/d01-x01-y03"]
    assert pions.annotations["Title"] == r"Mean number of $\pi^+$"


def test_sources_of_errors_are_kept():
    scatter = measured.load("ATLAS_2010_S8918562")["/REF/ATLAS_2010_S8918562/d01-x01-y01"]
    assert {"stat", "sys"} <= set(scatter.sources)
    total = np.sqrt(sum(scatter.sources[name][:, 1] ** 2 for name in ("stat", "sys")))
    np.testing.assert_allclose(total, scatter.plus[:, 1], rtol=1e-5)


def test_unknown_names():
    with pytest.raises(InputError, match="no measured data for 'OPAL'"):
        measured.load("OPAL")


def test_what_is_loaded_can_be_changed_without_harm():
    first = measured.load("OPAL_1998_S3780481")
    first.clear()
    assert measured.load("OPAL_1998_S3780481")
