"""Jobs on the machines of a Ray cluster.

The machines see the inputs and outputs at the same paths (a shared folder), or as addresses of an
object store. Ray runs a job again whose worker or machine is lost; outputs appear only when they
are complete, so the files are the same as without losses.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, cast

from motet.batch.jobs import Attempt, Job, Work, attempt
from motet.errors import InputError, require

if TYPE_CHECKING:
    from ray import ObjectRef

_REACHED_S = 5.0
"""Time in which a port must answer; Ray itself waits for minutes."""
ATTEMPTS = 5
"""How often a job is tried whose worker or machine is lost."""
_WAITING = 2
"""Jobs handed out for each core of the cluster."""


class RayCluster:
    """An executor on a Ray cluster: one job a core.

    Args:
        address: `auto` for the cluster of this machine, `HOST:6379`, `ray://HOST:10001`, or
            `local` for a cluster of this machine's cores alone.

    Raises:
        MissingDependency: Ray is not installed.
        InputError: no cluster answers at the address.
    """

    in_this_process = False

    def __init__(self, address: str) -> None:
        require("ray", "cluster")
        import ray

        self._ray = ray
        if ray.is_initialized():
            return
        _check_port(address)
        try:
            ray.init(
                address=address,
                include_dashboard=None if address != "local" else False,
                log_to_driver=False,
                logging_level="ERROR",
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise InputError(f"no Ray cluster could be reached at {address}: {reason}") from error

    def run(self, work: Work, jobs: Iterable[Job]) -> Iterator[Attempt]:
        """Try every job; those that end first come first. Cores that join are used."""
        ray = self._ray
        common = ray.put(work)  # sent to each machine once, not with every job
        task = ray.remote(num_cpus=1, max_retries=ATTEMPTS - 1)(attempt)
        source = iter(jobs)
        running: dict[ObjectRef, Job] = {}
        while True:
            while len(running) < self._room():
                job = next(source, None)
                if job is None:
                    break
                running[task.remote(common, job)] = job
            if not running:
                return
            for reference in ray.wait(list(running))[0]:
                yield running.pop(reference), self._reason(reference)

    def _room(self) -> int:
        return _WAITING * max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def _reason(self, reference: ObjectRef) -> str:
        try:
            return cast(str, self._ray.get(reference))
        except self._ray.exceptions.RayError as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else ""
            return f"its worker was lost {ATTEMPTS} times: {type(error).__name__} {first}".strip()


def _check_port(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), _REACHED_S).close()
    except (OSError, OverflowError) as error:
        raise InputError(f"no Ray cluster could be reached at {address}: {error}") from error
