"""A Prefect flow of a flow of Sequor: a task for each of its steps.

The engine decides what runs when, and keeps its promises of order and atomicity; each task stands for one step, runs while the step
does, and ends as it ends.

    python prefect_sequor.py /opt/flows/shop orders
"""

from __future__ import annotations

import sys
import threading
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.futures import PrefectFuture
from sequor_engine import Project, RunResult


class Steps:
    """What a run tells, for those who wait for one of its steps."""

    def __init__(self) -> None:
        self._told = threading.Condition()
        self._events: dict[str, dict[str, Any]] = {}
        self._over = False

    def hear(self, event: dict[str, Any]) -> None:
        with self._told:
            if event["event"] == "step_finished":
                self._events[event["step"]] = event
            self._over = event["event"] == "run_finished"
            self._told.notify_all()

    def end(self) -> None:
        with self._told:
            self._over = True
            self._told.notify_all()

    def wait(self, step: str) -> dict[str, Any] | None:
        """Returns how a step ended; None when the run is over without it."""
        with self._told:
            self._told.wait_for(lambda: step in self._events or self._over)
            return self._events.get(step)


@task
def step(name: str, steps: Steps) -> dict[str, int]:
    """Waits for a step."""
    event = steps.wait(name)
    if event is None:
        raise RuntimeError(f"{name}: it did not run")
    if event["status"] not in ("done", "already_done", "caught"):
        raise RuntimeError(f"{name}: {event['status']}: {(event['error'] or {}).get('message', '')}")
    get_run_logger().info("%s rows, %s requests", event["rows"], event["requests"])
    return {"rows": event["rows"], "requests": event["requests"]}


@flow(name="sequor")
def sequor(project: str, name: str, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Runs a flow, and returns the summary of its run."""
    opened = Project(project)
    ids = [planned["id"] for planned in opened.plan(name)["root"]["steps"]]
    steps = Steps()
    came: list[RunResult | BaseException] = []

    def run() -> None:
        try:
            came.append(opened.run(name, on_event=steps.hear, **(options or {})))
        except BaseException as error:
            came.append(error)
        finally:
            steps.end()

    engine = threading.Thread(target=run)
    engine.start()
    tasks: list[PrefectFuture[dict[str, int]]] = [
        step.with_options(name=id, task_run_name=id).submit(id, steps) for id in ids
    ]
    for future in tasks:
        future.wait()
    engine.join()
    ended = came[0]
    if isinstance(ended, BaseException):
        raise ended
    return ended.raise_for_status().to_dict()


if __name__ == "__main__":
    sequor(*sys.argv[1:3])
