"""The DAG runs; a task that is tried again goes on; mistakes are not tried again; a task that is killed stops its run in order."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest


EXAMPLE = Path(__file__).parents[1]


@pytest.fixture(autouse=True, scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "dags").mkdir()
    for file in ("airflow_dag.py", "airflow_sequor.py"):
        shutil.copy(EXAMPLE / file, folder / "dags")
    os.environ.update(AIRFLOW_HOME=str(folder), AIRFLOW__CORE__LOAD_EXAMPLES="false")
    command("db", "migrate")
    return folder


def command(*words: str) -> str:
    """What a command of Airflow's prints; it has to be good."""
    ran = subprocess.run([sys.executable, "-m", "airflow", *words], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def attempt(number: int) -> Any:
    return {"ti": SimpleNamespace(try_number=number)}


def test_the_dag_runs_and_has_the_summary_as_its_xcom(
    project: Path, airflow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQUOR_PROJECT", str(project))
    command("dags", "reserialize")
    told = command("dags", "test", "orders")
    assert "fetch_orders: done, 3 rows, 1 requests" in told, told
    with sqlite3.connect(airflow / "airflow.db") as database:
        ((text,),) = database.execute("select value from xcom where task_id = 'orders' and key = 'return_value'").fetchall()
    summary = json.loads(text)
    summary = json.loads(summary) if isinstance(summary, str) else summary
    assert summary["status"] == "done" and summary["run"]
    assert {step["step"]: step["rows"] for step in summary["steps"]} == {"fetch_orders": 3, "totals": 2, "print_3": 0}


def test_the_next_try_goes_on_with_the_run(project: Path) -> None:
    from airflow_sequor import AirflowException, SequorOperator

    task = SequorOperator(task_id="fails", project=str(project), flow="fails")
    with pytest.raises(AirflowException, match="division"):
        task.execute(attempt(1))
    (project / "number").write_text("1")
    summary = task.execute(attempt(2))
    assert [step["status"] for step in summary["steps"]] == ["already_done", "done"]
    # What is done is not gone on with.
    assert task.execute(attempt(2))["run"] != summary["run"]


def test_mistakes_are_not_tried_again(project: Path) -> None:
    from airflow_sequor import AirflowFailException, SequorOperator

    (project / "flows/wrong.yaml").write_text("- op: prnt\n")
    for options in ({"project": str(project), "flow": "wrong"}, {"project": "/nowhere", "flow": "orders"}):
        with pytest.raises(AirflowFailException):
            SequorOperator(task_id="wrong", **options).execute(attempt(1))


def test_a_task_that_is_killed_stops_its_run_in_order(project: Path) -> None:
    from airflow_sequor import AirflowException, SequorOperator
    from sequor_engine import Project

    (project / "flows/long.yaml").write_text(
        "- op: while\n  id: long\n  condition_expression: 'True'\n  max_iterations: 100000\n"
        "  steps:\n    - op: set_variable\n      set_expression: \"(__import__('time').sleep(0.01), {'a': 1})[1]\"\n"
    )
    task = SequorOperator(task_id="long", project=str(project), flow="long")
    threading.Thread(target=lambda: (time.sleep(1.5), task.on_kill())).start()
    with pytest.raises(AirflowException, match="interrupted"):
        task.execute(attempt(1))
    assert Project(project).query("_sequor", "select status from runs").to_pylist() == [{"status": "interrupted"}]
