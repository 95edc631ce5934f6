"""Projects are checked, planned and run; what goes wrong is raised with its code, place and help."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from sequor_engine import DryRun, Project, ProjectError, RunError, SequorError

REPLAY = "recordings/orders"


def test_findings_have_code_place_and_help(project: Project, folder: Path) -> None:
    assert project.validate() == []
    (folder / "flows/bad.yaml").write_text("- op: print\n  mesage: hi\n")
    found = [finding for finding in project.validate() if finding.place and finding.place.file == "flows/bad.yaml"]
    assert {finding.severity for finding in found} == {"error", "warning"} or found[0].severity == "error"
    assert found[0].code.startswith("SQ") and found[0].place is not None
    assert "message" in " ".join(str(finding) for finding in found)
    assert project.validate("orders") == []
    with pytest.raises(ProjectError) as raised:
        project.run("bad")
    assert raised.value.findings and raised.value.code.startswith("SQ")
    assert "flows/bad.yaml" in str(raised.value)
    again = pickle.loads(pickle.dumps(raised.value))
    assert str(again) == str(raised.value) and again.findings == raised.value.findings


def test_what_is_no_project_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="no project.yaml"):
        Project(tmp_path)
    with pytest.raises(ProjectError, match="environment"):
        (tmp_path / "project.yaml").write_text("name: empty\n")
        Project(tmp_path, env="nowhere", home=tmp_path)


def test_a_plan_is_data_text_and_picture(project: Project) -> None:
    plan = project.plan("orders")
    assert [step["id"] for step in plan["root"]["steps"]]
    assert json.loads(plan.to_json()) == plan
    assert "Flow orders" in str(plan)
    assert plan._repr_html_().startswith("<svg") and "fetch_orders" in plan.svg
    only = project.plan("orders", select=["fetch_orders"])
    assert [step["id"] for step in only["root"]["steps"]] == ["fetch_orders"]
    with pytest.raises(ProjectError, match="no step has the id"):
        project.plan("orders", select=["nothing"])
    with pytest.raises(TypeError, match="list of names"):
        project.plan("orders", select="fetch_orders")


def test_a_run_says_what_its_steps_did(project: Project) -> None:
    events: list[dict[str, Any]] = []
    result = project.run("orders", replay=REPLAY, on_event=events.append)
    assert result.raise_for_status() is result and result.ok
    assert result.step("fetch_orders").rows == 3 and result.step("fetch_orders").requests == 1
    assert result.rows >= 3 and result.requests >= 1 and result.rejects == 0
    assert events[0]["event"] == "run_started" and events[-1]["event"] == "run_finished"
    assert result.run_id == events[0]["run"]
    assert result.to_dict()["run"] == result.run_id
    with pytest.raises(KeyError):
        result.step("nothing")


def test_a_failure_is_a_result_until_it_is_raised(project: Project, folder: Path) -> None:
    (folder / "flows/fails.yaml").write_text(
        "- op: set_variable\n  id: good\n  set: {a: 1}\n"
        "- op: set_variable\n  id: bad\n  set_expression: \"{'b': 1 / 0}\"\n"
    )
    result = project.run("fails")
    assert result.status == "failed" and result.error is not None
    assert result.error.code.startswith("SQ") and "division" in result.error.message
    assert result.error.place is not None and result.error.place.file == "flows/fails.yaml"
    with pytest.raises(RunError, match="division") as raised:
        result.raise_for_status()
    assert raised.value.result is result and raised.value.place == result.error.place
    assert result.resumable
    (folder / "flows/fails.yaml").write_text(
        "- op: set_variable\n  id: good\n  set: {a: 1}\n"
        "- op: set_variable\n  id: bad\n  set_expression: \"{'b': 1 / 1}\"\n"
    )
    with pytest.raises(ProjectError, match="changed|other"):
        project.run("fails", resume=True)
    again = project.run("fails", resume=True, force=True)
    assert again.ok and again.run_id == result.run_id
    assert again.step("good").status == "already_done"


def test_variables_are_any_data(project: Project, folder: Path) -> None:
    (folder / "flows/shows.yaml").write_text(
        "- op: print\n  message_expression: \"f\\\"{var('who')['name']} {var('n') + 1} {var('many')[1]}\\\"\"\n"
    )
    told: list[str] = []

    def hear(event: dict[str, Any]) -> None:
        if event["event"] == "printed":
            told.append(event["text"])

    given = Project(folder, vars={"n": 41, "who": {"name": "Bob"}})
    given.run("shows", vars={"who": {"name": "Ada"}, "many": [1, 2.5]}, on_event=hear).raise_for_status()
    assert told == ["Ada 42 2.5"]


def test_a_dry_run_changes_nothing_and_says_what_would_be(project: Project, folder: Path) -> None:
    before = sorted(path for path in folder.rglob("*"))
    result = project.run("orders", dry_run=DryRun(offline=True), replay=REPLAY)
    assert result.ok and result.dry_run is not None
    assert {table["table"] for table in result.dry_run["tables"]} >= {"orders"}
    assert sorted(path for path in folder.rglob("*")) == before
    with pytest.raises(SequorError):
        project.table("stage", "orders")


def test_options_that_contradict_each_other_are_refused(project: Project) -> None:
    with pytest.raises(ValueError, match="resume"):
        project.run("orders", force=True)
    with pytest.raises(ValueError, match="resume"):
        project.run("orders", resume=True, select=["fetch_orders"])
    with pytest.raises(ValueError, match="timeout is a number of seconds"):
        project.run("orders", timeout=-1)
    with pytest.raises(ValueError, match="record or replay"):
        project.run("orders", record="a", replay=REPLAY)
    wrong: dict[str, Any]
    for wrong in (
        {"resume": ""},
        {"resume": 7},
        {"dry_run": "yes"},
        {"dry_run": DryRun(sample=-1)},
        {"timeout": "10m"},
        {"replay": 7},
        {"select": [7]},
    ):
        with pytest.raises(TypeError, match="and not|is none"):
            project.run("orders", **wrong)


def test_data_without_an_end_is_refused(project: Project) -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="holds itself"):
        project.run("orders", vars={"q": endless})
    with pytest.raises(TypeError, match="column `a`.*holds itself"):
        project.load("stage", "deep", [{"a": endless}])


def test_a_listener_that_raises_stops_the_run(slow: Project) -> None:
    def refuse(event: dict[str, Any]) -> None:
        if event["event"] == "progress":
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        slow.run("slow", on_event=refuse)
    latest = slow.query("_sequor", "select status from runs").to_pylist()
    assert latest == [{"status": "interrupted"}]
