"""Each step of a flow is a task, which ends as the step does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.testing.utilities import prefect_test_harness
from prefect_sequor import sequor
from sequor_engine import RunError


@pytest.fixture(autouse=True, scope="session")
def server() -> Iterator[None]:
    with prefect_test_harness():
        yield


def test_a_task_for_each_step(project: Path) -> None:
    summary = sequor(str(project), "orders", {"replay": "recordings/orders"})
    assert summary["status"] == "done"
    assert [step["step"] for step in summary["steps"]] == ["fetch_orders", "totals", "print_3"]


def test_tasks_fail_as_their_steps_do(project: Path) -> None:
    state = sequor(str(project), "fails", return_state=True)
    assert state.is_failed()
    with pytest.raises(RunError, match="division"):
        state.result()
    (project / "number").write_text("1")
    assert sequor(str(project), "fails", {"resume": True})["steps"][0]["status"] == "already_done"
