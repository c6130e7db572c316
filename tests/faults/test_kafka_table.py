"""A worker's state lost or spoiled: it is recovered from the changelog, and what was known is known again."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.kafka_driver import FOLDER, Flow
from tests.faults.kafka_feed import articles, near_copies, publish

pytestmark = [pytest.mark.kafka, pytest.mark.faults]
SESSION = {"RASD_KAFKA_SESSION_SECONDS": "6", "RASD_RUN_PROCESSES": "2", "RASD_RUN_BATCH": "32"}
RECOVERED_SECONDS = 60.0


def state_of(flow: Flow, worker: str) -> Path:
    folder = flow.folder / worker / FOLDER / "worker" / worker / "dedupe"
    assert any(folder.rglob("CURRENT")), f"no RocksDB in {folder}"
    return folder


def delete(folder: Path) -> None:
    shutil.rmtree(folder)


def cut_tables(folder: Path) -> None:
    """Every file of the databases loses its second half, as after a disk that was full or failed."""
    files = [f for f in folder.rglob("*.db/*") if f.is_file() and f.stat().st_size]
    assert files
    for file in files:
        with file.open("r+b") as opened:
            opened.truncate(file.stat().st_size // 2)


def lose_manifest(folder: Path) -> None:
    """The databases no longer know which files are theirs."""
    for file in folder.rglob("MANIFEST-*"):
        file.unlink()


def spoil_values(folder: Path) -> None:
    """Bytes in the middle of what is stored are others: opened well, found out by reading."""
    for file in (*folder.rglob("*.sst"), *folder.rglob("*.log")):
        size = file.stat().st_size
        if size < 200:
            continue
        with file.open("r+b") as opened:
            opened.seek(size // 3)
            opened.write(b"\xa5" * min(4096, size // 3))


@dataclass(frozen=True)
class Loss:
    """then: the worker that goes on afterwards."""

    name: str
    harm: Callable[[Path], None] | None
    then: str = "worker"


LOSSES = (
    Loss("folder deleted", delete),
    Loss("files cut in half", cut_tables),
    Loss("manifests deleted", lose_manifest),
    Loss("bytes overwritten", spoil_values),
    Loss("another name, another folder", None, "worker-2"),
)


def test_a_table_that_is_lost_or_spoiled_comes_back_from_the_changelog(
    tmp_path: Path, kafka: str, prefix: str, long_faults: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """After each loss everything is sent again, and near copies of it under new addresses."""
    count, losses = (2_000, LOSSES) if long_faults else (150, (LOSSES[0], *LOSSES[-2:]))
    given, near = articles(count), near_copies(count)
    share = count // len(losses)
    recovered: list[str] = []
    with Flow(tmp_path, kafka, prefix, pages=0, environment=SESSION) as flow:
        worker = "worker"
        flow.start(worker, "sink")
        publish(flow.cluster, given)
        flow.drain(300.0)
        for number, loss in enumerate(losses):
            before = flow.watch.ends("rasd.unique"), flow.watch.ends("rasd.events")
            assert flow.stop(worker, signal.SIGTERM) < 8.0
            if loss.harm:
                loss.harm(state_of(flow, worker))
            publish(flow.cluster, given)  # known, all of them
            took = came_back(flow, worker := loss.then)
            assert (flow.watch.ends("rasd.unique"), flow.watch.ends("rasd.events")) == before, loss.name
            publish(flow.cluster, near[number * share : (number + 1) * share])
            flow.drain(300.0)
            recovered.append(f"{loss.name} {took:.1f} s")
        compared = flow.compare()
        verdicts = known(flow)
    with capsys.disabled():
        print(f"\nstate of {count:,} articles lost, then all of them sent again and {share:,} near copies: "
              f"known again after {', '.join(recovered)}; {verdicts}; {compared}")  # fmt: skip
    compared.check()
    assert verdicts["near_duplicate"] > share


def came_back(flow: Flow, worker: str) -> float:
    """Seconds from its start until it has taken up all that waits."""
    begin = time.monotonic()
    flow.start(worker)
    while any(flow.watch.lag("worker").values()):
        flow.check_alive()
        assert time.monotonic() - begin < RECOVERED_SECONDS, f"{worker} did not get on: {flow.service(worker).said()}"
        time.sleep(0.1)
    return time.monotonic() - begin


def known(flow: Flow) -> dict[str, int]:
    """How many verdicts there are of each kind."""
    import orjson

    out: dict[str, int] = {}
    for message in flow.read("rasd.verdicts"):
        kind = str(orjson.loads(message.value)["verdict"])
        out[kind] = out.get(kind, 0) + 1
    return out
