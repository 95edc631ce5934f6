"""Rows go out and in as Arrow, for the libraries that people use."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas
import polars
import pyarrow
import pytest

from sequor_engine import Project, ProjectError, SequorError

ROWS: list[dict[str, Any]] = [{"id": 1, "name": "Ada", "score": 1.5}, {"id": 2, "name": None, "score": None}]


@pytest.fixture
def filled(project: Project) -> Project:
    assert project.load("stage", "people", ROWS) == 2
    return project


def test_each_library_reads_rows(filled: Project) -> None:
    sql = "select * from people order by id"
    assert filled.query("stage", sql).columns == ["id", "name", "score"]
    assert filled.query("stage", sql).to_pylist() == ROWS
    assert pyarrow.table(filled.query("stage", sql)).to_pylist() == ROWS
    assert polars.DataFrame(filled.query("stage", sql)).to_dicts() == ROWS
    frame = pandas.DataFrame.from_arrow(filled.query("stage", sql))  # type: ignore[attr-defined]
    assert frame["id"].tolist() == [1, 2] and frame["name"][0] == "Ada"
    rows = pyarrow.table(filled.table("stage", "people"))
    assert rows.num_rows == 2
    reader = pyarrow.RecordBatchReader.from_stream(filled.table("stage", "people"))
    found = duckdb.sql("select sum(id) from reader")
    assert found is not None and found.fetchall() == [(3,)]


def test_rows_are_read_once(filled: Project) -> None:
    rows = filled.table("stage", "people")
    rows.to_pylist()
    with pytest.raises(ValueError, match="read already"):
        rows.to_pylist()
    # Nobody reads these.
    filled.table("stage", "people")


@pytest.mark.parametrize("make", [pyarrow.Table.from_pylist, polars.DataFrame, pandas.DataFrame, lambda rows: iter(rows)])
def test_each_library_gives_rows(project: Project, make: Any) -> None:
    assert project.load("stage", "people", make(ROWS)) == 2
    assert project.query("stage", "select id, name from people order by id").to_pylist() == [
        {"id": 1, "name": "Ada"},
        {"id": 2, "name": None},
    ]


def test_write_modes(filled: Project) -> None:
    more = [{"id": 2, "name": "Bob", "score": 2.0}, {"id": 3, "name": "Eve", "score": 3.0}]
    assert filled.load("stage", "people", more, write_mode="upsert", primary_key=["id"]) == 2
    assert [row["name"] for row in filled.query("stage", "select name from people order by id").to_pylist()] == [
        "Ada",
        "Bob",
        "Eve",
    ]
    assert filled.load("stage", "people", more, write_mode="append") == 2
    assert len(filled.table("stage", "people").to_pylist()) == 5
    assert filled.load("stage", "people", more, write_mode="replace") == 2
    assert len(filled.table("stage", "people").to_pylist()) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"write_mode": "merge"}, "no write mode"),
        ({"write_mode": "upsert"}, "columns that tell rows apart"),
        ({"primary_key": ["id"]}, "for upserts"),
        ({"write_mode": "upsert", "primary_key": ["nothing"]}, "nothing"),
    ],
)
def test_write_modes_that_are_none(filled: Project, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SequorError, match=message):
        filled.load("stage", "people", ROWS, **options)
    assert filled.table("stage", "people").to_pylist() == ROWS


def test_values_keep_their_kinds(project: Project, folder: Path) -> None:
    (folder / "sources/lite.yaml").write_text("type: sqlite\nconn_str: sqlite:///lite.db\n")
    moment = datetime.datetime(2024, 5, 6, 7, 8, 9, 123456)
    row = {
        "whole": 2**40,
        "exact": decimal.Decimal("12.345"),
        "day": datetime.date(2024, 5, 6),
        "moment": moment,
        "instant": moment.replace(tzinfo=datetime.timezone.utc),
        "truth": True,
        "bytes": b"\x00\xff",
        "json": {"a": [1, 2]},
        "nothing": None,
    }
    assert project.load("stage", "kinds", [row]) == 1
    (found,) = project.table("stage", "kinds").to_pylist()
    assert found.pop("json") in ('{"a":[1,2]}', {"a": [1, 2]})
    row.pop("json")
    assert found == row
    assert project.load("lite", "kinds", [{"n": 1}]) == 1
    assert project.table("lite", "kinds").to_pylist() == [{"n": 1}]


def test_what_is_no_rows_is_refused(project: Project) -> None:
    with pytest.raises(SequorError, match="a number and a string"):
        project.load("stage", "people", [{"id": 1}, {"id": "x"}])
    with pytest.raises(TypeError, match="list of dictionaries"):
        project.load("stage", "people", [1, 2])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="list of dictionaries"):
        project.load("stage", "people", 7)  # type: ignore[arg-type]
    with pytest.raises(SequorError, match="can't hold"):
        project.load("stage", "people", pyarrow.table({"lists": [[1, 2]]}))
    with pytest.raises(ProjectError, match="no source is named"):
        project.load("stege", "people", ROWS)
    with pytest.raises(SequorError, match="nothing"):
        project.query("stage", "select * from nothing")


def test_a_load_that_fails_in_its_middle_leaves_nothing(filled: Project) -> None:
    schema = pyarrow.schema([("id", pyarrow.int64())])

    def batches() -> Any:
        yield pyarrow.record_batch({"id": pyarrow.array([7], pyarrow.int64())}, schema=schema)
        raise OSError("the stream broke")

    with pytest.raises(SequorError, match="the stream broke"):
        filled.load("stage", "people", pyarrow.RecordBatchReader.from_batches(schema, batches()))
    assert filled.table("stage", "people").to_pylist() == ROWS


def test_no_rows_are_no_change_and_a_replacement_needs_columns(filled: Project) -> None:
    assert filled.load("stage", "people", [], write_mode="append") == 0
    assert filled.table("stage", "people").to_pylist() == ROWS
    assert filled.load("stage", "people", pyarrow.table({"id": pyarrow.array([], pyarrow.int64())})) == 0
    assert filled.table("stage", "people").to_pylist() == []
    with pytest.raises(SequorError, match="no columns"):
        filled.load("stage", "people", [])
