"""Python goes on while the engine works; runs are stopped in order, several go on at the same time."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sequor_engine import Project

REPLAY = "recordings/orders"


def test_other_threads_go_on(slow: Project) -> None:
    counted = 0
    over = threading.Event()

    def count() -> None:
        nonlocal counted
        while not over.wait(0.001):
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    result = slow.run("slow", timeout=1)
    over.set()
    thread.join()
    assert result.status == "failed" and result.error is not None and "longer than" in result.error.message
    assert counted > 200


def test_several_runs_at_once(folder: Path) -> None:
    def run(n: int) -> str:
        own = Project(folder, home=folder.parent / f"home{n}")
        return own.run("orders", replay=REPLAY).raise_for_status().status

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(8))) == ["done"] * 8


def test_runs_are_awaited(project: Project) -> None:
    events: list[str] = []

    async def both() -> list[str]:
        first = await project.run_async("orders", replay=REPLAY, on_event=lambda event: events.append(event["event"]))
        return [first.status]

    assert asyncio.run(both()) == ["done"]
    assert events[0] == "run_started" and events[-1] == "run_finished"


def test_a_task_that_is_cancelled_stops_its_run(slow: Project) -> None:
    async def some() -> None:
        task = asyncio.create_task(slow.run_async("slow"))
        await asyncio.sleep(0.8)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    begun = time.monotonic()
    asyncio.run(some())
    assert time.monotonic() - begun < 8
    assert slow.query("_sequor", "select status from runs").to_pylist() == [{"status": "interrupted"}]


def test_a_listener_of_a_task_that_raises_stops_its_run(slow: Project) -> None:
    def refuse(event: dict[str, Any]) -> None:
        if event["event"] == "step_started":
            raise LookupError("enough")

    async def some() -> None:
        with pytest.raises(LookupError, match="enough"):
            await slow.run_async("slow", on_event=refuse)

    asyncio.run(some())


@pytest.mark.parametrize("how", ["run", "invoke", "command"])
def test_an_interrupt_stops_a_run_in_order(slow: Project, folder: Path, how: str) -> None:
    script = {
        "run": "from sequor_engine import Project\nProject('.').run('slow')",
        "invoke": "from sequor_engine import Runner\nRunner().invoke(['run', 'slow'])",
        "command": "import runpy, sys\nsys.argv = ['sequor', 'run', 'slow']\nrunpy.run_module('sequor_engine', run_name='__main__')",
    }[how]
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=folder, stderr=subprocess.PIPE, text=True
    )
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    # A process that Python's own handler ends says so by the signal, or by 130.
    assert process.returncode in ((130,) if how == "command" else (-signal.SIGINT, 130)), told
    assert how == "command" or "KeyboardInterrupt" in told
    assert slow.query("_sequor", "select status from runs").to_pylist() == [{"status": "interrupted"}]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_that_forks_runs_flows_in_both(project: Project) -> None:
    project.run("orders", replay=REPLAY).raise_for_status()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if project.run("orders", replay=REPLAY).ok else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert project.run("orders", replay=REPLAY).ok


def test_an_interrupt_ends_a_query(folder: Path) -> None:
    script = """
from sequor_engine import Project
project = Project(".")
project.load("stage", "big", [{"i": n} for n in range(100_000)])
print("asks", flush=True)
project.query("stage", "select count(*) as c from big a, big b where a.i * b.i % 7 = 3").to_pylist()
"""
    process = subprocess.Popen([sys.executable, "-c", script], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "asks\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in told and process.returncode in (-signal.SIGINT, 130), told


def test_a_program_ends_in_order_behind_a_run_that_was_stopped(folder: Path) -> None:
    (folder / "flows/busy.yaml").write_text(
        "- op: set_variable\n  set_expression: |\n    import time\n    for _ in range(100): time.sleep(0.1)\n    return {'a': 1}\n"
    )
    script = """
import threading
from sequor_engine import Project, Stop
stop = Stop()
threading.Timer(0.7, stop.stop).start()
print(Project(".").run("busy", stop=stop).status)
"""
    for _ in range(4):
        ran = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, timeout=60)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "interrupted\n", ""), ran


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_rows_are_read_where_they_were_asked_for(project: Project) -> None:
    project.load("stage", "people", [{"id": 1}])
    rows = project.table("stage", "people")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            rows.to_pylist()
        except ValueError as error:
            code = 0 if "forked" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert rows.to_pylist() == [{"id": 1}]
