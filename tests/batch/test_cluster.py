"""A cluster of three nodes on this machine, whose workers and one node are lost at work."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from motet.batch.jobs import run_jobs
from motet.batch.ledger import LEDGER_NAME, open_ledger
from motet.errors import InputError, MissingDependency
from tests.batch.work import copy_upper, make_jobs

ROOT = Path(__file__).parents[2]
NODE = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 << 20}


def test_without_ray_the_install_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from motet.batch.cluster import RayCluster

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependency, match="ray"):
        RayCluster("auto")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_losses_of_workers_and_of_a_node_change_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    from motet.batch.cluster import RayCluster

    monkeypatch.setenv("PYTHONPATH", f"{ROOT / 'src'}:{ROOT}")
    monkeypatch.setenv("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    contents = ["a", "dies once", "sleeps once", "b", "bad", "c", "d", "e"]
    jobs = make_jobs(tmp_path, *contents)
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    nodes = [cluster.add_node(**NODE) for _ in range(2)]
    try:
        executor = RayCluster(cluster.address)
        ended = threading.Event()
        ends = [
            threading.Thread(target=_kill_sleeper, args=(tmp_path / "2.pid", ended)),
            threading.Timer(1.0, lambda: cluster.remove_node(nodes[1], allow_graceful=False)),
        ]
        for end in ends:
            end.start()
        outcomes = run_jobs(jobs, {}, copy_upper, open_ledger(tmp_path), executor)
    finally:
        ended.set()
        import ray

        ray.shutdown()
        cluster.shutdown()
    assert [o.state for o in outcomes] == ["done"] * 4 + ["failed"] + ["done"] * 3
    texts = {n: (tmp_path / f"{n}.out").read_text() for n in range(8) if n != 4}
    assert texts == {n: text.upper() for n, text in enumerate(contents) if n != 4}
    assert len((tmp_path / LEDGER_NAME).read_text().splitlines()) == 7
    assert not list(tmp_path.glob(".*.part*"))


def test_an_address_without_a_cluster_is_said() -> None:
    pytest.importorskip("ray")
    from motet.batch.cluster import RayCluster

    with pytest.raises(InputError, match="no Ray cluster could be reached"):
        RayCluster("127.0.0.1:9")


def _kill_sleeper(note: Path, ended: threading.Event) -> None:
    """Kill the worker in the middle of its job, once it has said which it is."""
    while not (note.exists() and note.read_text()):
        if ended.wait(0.05):
            return
    os.kill(int(note.read_text()), signal.SIGKILL)
