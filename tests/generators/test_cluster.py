"""The same campaign on a dask.distributed scheduler: the same files, and faults in words."""

import pytest
from helpers.campaigns import content, misfit_tasks, toy_tasks

from sbitune.data.errors import ComputationError, InputError
from sbitune.generators.campaigns.campaign import Means, run_campaign

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def scheduler():
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None, protocol="tcp", host="127.0.0.1"
    ) as cluster:
        yield cluster.scheduler_address


def test_the_same_runs_as_on_this_machine(tmp_path, scheduler):
    tasks = toy_tasks(tmp_path, 4)
    run_campaign(tasks, tmp_path / "here", Means(workers=2))
    made = run_campaign(tasks, tmp_path / "there", Means(scheduler=scheduler))
    assert made.new == 4
    assert content(tmp_path / "here") == content(tmp_path / "there")
    assert run_campaign(tasks, tmp_path / "there", Means(scheduler=scheduler)).new == 0


def test_failed_runs_are_named(tmp_path, scheduler):
    with pytest.raises(ComputationError, match=r"0001 failed: .*no luck with 0.6"):
        run_campaign(toy_tasks(tmp_path, 3, "fail", bad=1), tmp_path / "s", Means(scheduler=scheduler))
    assert len(list((tmp_path / "s").glob("*/run.json"))) == 2


def test_wrong_input_found_on_a_node_stays_wrong_input(tmp_path, scheduler):
    with pytest.raises(InputError, match=r"ALEPH_1996_S3486095 exists at 91\.2 GeV"):
        run_campaign(misfit_tasks(2), tmp_path / "s", Means(scheduler=scheduler))


@pytest.mark.slow
def test_no_scheduler(tmp_path):
    with pytest.raises(InputError, match=r"scan.scheduler: no answer from tcp://127.0.0.1:1"):
        run_campaign(toy_tasks(tmp_path, 1), tmp_path / "s", Means(scheduler="tcp://127.0.0.1:1"))
