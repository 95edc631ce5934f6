"""Rows go out and in as Arrow, for the libraries that people use."""

from __future__ import annotations

import datetime
import decimal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import numpy
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
    with pytest.raises(SequorError, match="an integer and a string"):
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


def test_rows_go_from_table_to_table(filled: Project) -> None:
    assert filled.load("stage", "copy", filled.table("stage", "people")) == 2
    reader = pyarrow.RecordBatchReader.from_stream(filled.query("stage", "select * from copy"))
    assert filled.load("stage", "again", reader) == 2
    schema = pyarrow.schema([("n", pyarrow.int64())])

    def asks() -> Any:
        for row in filled.query("stage", "select count(*) as n from again").to_pylist():
            yield pyarrow.record_batch({"n": pyarrow.array([row["n"]], pyarrow.int64())}, schema=schema)

    assert filled.load("stage", "counts", pyarrow.RecordBatchReader.from_batches(schema, asks())) == 1
    assert filled.table("stage", "counts").to_pylist() == [{"n": 2}]


def test_threads_that_share_a_reader_take_turns(project: Project) -> None:
    project.load("stage", "big", pyarrow.table({"i": pyarrow.array(range(200_000))}))
    reader = pyarrow.RecordBatchReader.from_stream(project.table("stage", "big"))

    def read(_: int) -> int:
        count = 0
        while True:
            try:
                count += reader.read_next_batch().num_rows
            except StopIteration:
                return count

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(read, range(4))) == 200_000


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1.5},
        {"id": decimal.Decimal("1.9")},
        {"truth": 7},
        {"day": datetime.datetime(2024, 5, 6, 15)},
        {"exact": decimal.Decimal("1.19")},
        {"moment": datetime.datetime(2024, 5, 6, 15, tzinfo=datetime.timezone.utc)},
    ],
)
@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_values_that_would_change_are_refused(project: Project, row: dict[str, Any], mode: str) -> None:
    first = {
        "key": 1,
        "id": 1,
        "truth": True,
        "day": datetime.date(2024, 5, 6),
        "exact": decimal.Decimal("1.2"),
        "moment": datetime.datetime(2024, 5, 6),
    }
    project.load("stage", "kinds", [first])
    key = ["key"] if mode == "upsert" else []
    with pytest.raises(SequorError, match=next(iter(row))):
        project.load("stage", "kinds", [{"key": 1, **row}], write_mode=mode, primary_key=key)
    assert project.table("stage", "kinds").to_pylist() == [first]
    # What is the same value is taken, whatever its type.
    fits = [{"key": 2, "id": 2.0, "exact": 3}]
    assert project.load("stage", "kinds", fits, write_mode=mode, primary_key=key) == 1


def test_values_of_libraries(project: Project) -> None:
    rows = [{"n": numpy.int64(7), "f": numpy.float64(0.5), "t": pandas.NaT, "m": pandas.NA}]
    assert project.load("stage", "odd", rows) == 1
    assert project.table("stage", "odd").to_pylist() == [{"n": 7, "f": 0.5, "t": None, "m": None}]
    with pytest.raises(SequorError, match="column `a`.*JSON"):
        project.load("stage", "odd", [{"a": {"k": float("nan")}}])
    with pytest.raises(SequorError, match="a float, and|floats, and"):
        project.load("stage", "odd", [{"a": 2**53 + 1}, {"a": 0.5}])
    with pytest.raises(SequorError, match="timestamp without a zone and a timestamp with a zone"):
        moment = datetime.datetime(2024, 5, 6)
        project.load("stage", "odd", [{"a": moment}, {"a": moment.replace(tzinfo=datetime.timezone.utc)}])
    for table in (
        pyarrow.table({"n": pyarrow.array([2**64 - 1], pyarrow.uint64())}),
        pyarrow.table({"t": pyarrow.Array.from_buffers(pyarrow.string(), 1, [None, pyarrow.py_buffer(b"\0\0\0\0\1\0\0\0"), pyarrow.py_buffer(b"\xff")])}),
    ):
        with pytest.raises(SequorError) as raised:
            project.load("stage", "odd", table)
        assert raised.value.code != "SQ1099", raised.value
    with pytest.raises(KeyError, match="mine"):
        project.load("stage", "odd", raising())


def raising() -> Any:
    yield {"a": 1}
    raise KeyError("mine")


def test_the_history_is_not_written(project: Project) -> None:
    with pytest.raises(ProjectError, match="history"):
        project.load("_sequor", "runs", ROWS)
