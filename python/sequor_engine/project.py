"""Projects: checked, planned, run, and their databases read and written."""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from . import _engine
from ._engine import Rows, Stop
from ._plan import Plan
from ._results import RunResult, result_of
from .errors import Finding, finding_of

# Python code of a run that was stopped may still be at work when the program ends.
atexit.register(_engine.settle)

Event = dict[str, Any]
"""One thing that happened, as a line of ``sequor run --format json``."""


class ArrowStream(Protocol):
    """A table of pyarrow, polars, pandas or duckdb: what has Arrow's C stream."""

    def __arrow_c_stream__(self, requested_schema: object | None = None, /) -> object: ...


@dataclass(frozen=True)
class DryRun:
    """How a flow is tried on throw-away copies, without any effect outside."""

    sample: int = 1_000
    """Rows of each table that it reads."""
    fixtures: str | os.PathLike[str] | None = None
    """A folder with tables: ``<source>/<table>.csv``, ``.jsonl`` or ``.parquet``."""
    offline: bool = False
    """Whether GETs are left out, too."""
    diff: bool = False
    """Whether tables are compared with what they are now; all of their rows are read then."""


class Project:
    """A project's folder, with the environment and the variables that its flows are given.

    Example:
        >>> project = Project(folder)
        >>> [str(finding) for finding in project.validate()]
        []
        >>> result = project.run("orders", replay="recordings/orders")
        >>> result.status, result.rows
        ('done', 5)
        >>> project.query("stage", "select count(*) as n from orders").to_pylist()
        [{'n': 3}]
    """

    def __init__(
        self,
        path: str | os.PathLike[str] = ".",
        *,
        env: str | None = None,
        vars: Mapping[str, Any] | None = None,
        home: str | os.PathLike[str] | None = None,
    ) -> None:
        """Names a project.

        Args:
            path: The project's folder.
            env: The environment whose variables are used; without, that of its ``env.yaml`` or of ``SEQUOR_ENV``.
            vars: Variables that win over every other place they are set.
            home: Where environments and the state of projects are kept; without, ``~/.sequor``.

        Raises:
            ProjectError: There is no project, or no such environment.
        """
        self.path = os.fspath(path)
        self._engine = _engine.Engine(path, home, env, dict(vars or {}))

    def __repr__(self) -> str:
        return f"Project({self.path!r})"

    def validate(self, flow: str | None = None) -> list[Finding]:
        """Returns all mistakes and warnings in the project, or in one flow; an empty list when it is all good."""
        return [finding_of(found) for found in json.loads(self._engine.validate(flow))]

    def plan(
        self,
        flow: str,
        *,
        vars: Mapping[str, Any] | None = None,
        select: Sequence[str] = (),
        exclude: Sequence[str] = (),
        in_order: bool = False,
    ) -> Plan:
        """Returns what a run would do.

        Args:
            flow: The flow, as its path below ``flows/`` without ``.yaml``.
            vars: Variables that win over every other place they are set.
            select: Only the steps with these ids.
            exclude: Not the steps with these ids.
            in_order: Steps one by one, in the order of the flow.

        Raises:
            ProjectError: Mistakes in the project's files; all of them are in its ``findings``.
        """
        told = self._engine.plan(flow, dict(vars or {}), _ids(select), _ids(exclude), in_order)
        return Plan(json.loads(told[0]), told[1], told[2])

    def run(
        self,
        flow: str,
        *,
        vars: Mapping[str, Any] | None = None,
        select: Sequence[str] = (),
        exclude: Sequence[str] = (),
        in_order: bool = False,
        resume: bool | str = False,
        force: bool = False,
        from_step: str | None = None,
        dry_run: bool | DryRun = False,
        record: str | os.PathLike[str] | None = None,
        replay: str | os.PathLike[str] | None = None,
        wait: float | None = None,
        timeout: float | None = None,
        on_event: Callable[[Event], object] | None = None,
        stop: Stop | None = None,
    ) -> RunResult:
        """Runs a flow to its end. Other threads go on meanwhile; Ctrl-C stops the run in order.

        A flow that fails raises nothing: see :meth:`RunResult.raise_for_status`.

        Args:
            flow: The flow, as its path below ``flows/`` without ``.yaml``.
            vars: Variables that win over every other place they are set.
            select: Only the steps with these ids.
            exclude: Not the steps with these ids.
            in_order: Steps and requests one by one, in the order of the flow.
            resume: Goes on with the flow's latest run (True), or with that of an id, in place of a new one.
            force: Goes on although the flow, the environment or variables changed.
            from_step: Begins at the step of this id.
            dry_run: Tries the flow on throw-away copies; what came out is in ``dry_run`` of the result.
            record: A folder that keeps every request and response, without secrets.
            replay: A folder of such; the network is not touched.
            wait: Seconds that another run is waited for that writes the same tables.
            timeout: Seconds that the run may take: then it is stopped in order, and has failed.
            on_event: Gets each event of the run; what it raises stops the run in order.
            stop: Stops the run in order, from another thread or a signal's handler: ``stop.stop()``.

        Raises:
            ProjectError: Mistakes in the project's files, or in what is asked for: nothing was run.
            SequorError: What is found wrong before the first step: a server that can't be reached.
        """
        return self._run(
            stop or Stop(),
            flow,
            dict(vars or {}),
            _options(select, exclude, in_order, resume, force, from_step, dry_run, record, replay, wait, timeout),
            on_event,
        )

    async def run_async(
        self,
        flow: str,
        *,
        vars: Mapping[str, Any] | None = None,
        select: Sequence[str] = (),
        exclude: Sequence[str] = (),
        in_order: bool = False,
        resume: bool | str = False,
        force: bool = False,
        from_step: str | None = None,
        dry_run: bool | DryRun = False,
        record: str | os.PathLike[str] | None = None,
        replay: str | os.PathLike[str] | None = None,
        wait: float | None = None,
        timeout: float | None = None,
        on_event: Callable[[Event], object] | None = None,
        stop: Stop | None = None,
    ) -> RunResult:
        """Runs a flow to its end, as :meth:`run` does, in a thread of its own. A task that is cancelled stops its run in order.

        ``on_event`` is called by the event loop.
        """
        loop = asyncio.get_running_loop()
        stopped = stop or Stop()
        ended: asyncio.Future[RunResult] = loop.create_future()
        options = _options(
            select, exclude, in_order, resume, force, from_step, dry_run, record, replay, wait, timeout
        )
        raised: list[BaseException] = []

        def hear(event: Event) -> None:
            # Behind an exception nothing more is told.
            if on_event is None or raised:
                return
            try:
                on_event(event)
            except BaseException as error:
                raised.append(error)
                stopped.stop()

        def tell(event: Event) -> None:
            loop.call_soon_threadsafe(hear, event)

        def end(result: RunResult | None, error: BaseException | None) -> None:
            if ended.done():
                return
            if error is not None:
                ended.set_exception(error)
            elif result is not None:
                ended.set_result(result)

        def work() -> None:
            result, error = None, None
            try:
                result = self._run(stopped, flow, dict(vars or {}), options, tell if on_event else None)
            except BaseException as caught:
                error = caught
            loop.call_soon_threadsafe(end, result, error)

        threading.Thread(target=work, name=f"sequor {flow}").start()
        try:
            result = await asyncio.shield(ended)
        except asyncio.CancelledError:
            stopped.stop()
            # What is under way ends in order.
            await asyncio.wait([ended])
            raise
        if raised:
            raise raised[0]
        return result

    def _run(
        self,
        stop: Stop,
        flow: str,
        vars: dict[str, Any],
        options: dict[str, Any],
        on_event: Callable[[Event], object] | None,
    ) -> RunResult:
        run_id: list[str] = []

        def told(text: str) -> None:
            event = json.loads(text)
            if not run_id:
                run_id.append(event["run"])
            if on_event is not None:
                on_event(event)

        report, dry_run = self._engine.run(flow, vars, options, stop, told)
        return result_of(report, run_id[0] if run_id else None, dry_run)

    def query(self, source: str, sql: str) -> Rows:
        """Returns the rows of a query on a database source, streamed from the database.

        They are an Arrow stream: ``pyarrow.table(rows)``, ``polars.DataFrame(rows)``, ``pandas.DataFrame.from_arrow(rows)``,
        or ``rows.to_pylist()``. They can be read once.

        Raises:
            ProjectError: No such source, or mistakes in the project's files.
            SequorError: What the database says.
        """
        return self._engine.query(source, sql)

    def table(self, source: str, name: str) -> Rows:
        """Returns the rows of a table, named as flows name it (``schema.table``), as :meth:`query` does."""
        return self._engine.table(source, name)

    def load(
        self,
        source: str,
        table: str,
        data: ArrowStream | Iterable[Mapping[str, Any]],
        *,
        write_mode: str = "create",
        primary_key: Sequence[str] = (),
    ) -> int:
        """Loads rows into a table of a database source, all of them or none.

        Args:
            source: The source.
            table: The table, named as flows name it.
            data: A table of pyarrow, polars, pandas or duckdb, or dictionaries, which have one kind of value in each column.
            write_mode: ``create`` (also ``replace``: the table becomes exactly these rows), ``append`` or ``upsert``.
            primary_key: The columns that tell rows apart, for an upsert; of several rows with the same key the last counts.

        Returns:
            How many rows were loaded.

        Raises:
            ProjectError: No such source, mistakes in the project's files, a write mode that is none.
            SequorError: What the database says; columns that tables can't hold.

        Example:
            >>> project = Project(folder)
            >>> project.load("stage", "people", [{"id": 1, "name": "Ada"}, {"id": 2, "name": None}])
            2
            >>> project.table("stage", "people").to_pylist()
            [{'id': 1, 'name': 'Ada'}, {'id': 2, 'name': None}]
        """
        return self._engine.load(source, table, data, write_mode, _ids(primary_key))


def _ids(given: Sequence[str]) -> list[str]:
    if isinstance(given, str):
        raise TypeError(f"a list of names is needed, and not the text {given!r}")
    for name in given:
        if not isinstance(name, str):
            raise TypeError(f"a list of names is needed, and {name!r} is none")
    return list(given)


def _path(name: str, given: str | os.PathLike[str] | None) -> str | None:
    if given is None:
        return None
    try:
        return str(os.fspath(given))
    except TypeError:
        raise TypeError(f"{name} is a path, and not {given!r}") from None


def _count(name: str, given: int) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise TypeError(f"{name} is a number of rows, and not {given!r}")
    return given


def _options(
    select: Sequence[str],
    exclude: Sequence[str],
    in_order: bool,
    resume: bool | str,
    force: bool,
    from_step: str | None,
    dry_run: bool | DryRun,
    record: str | os.PathLike[str] | None,
    replay: str | os.PathLike[str] | None,
    wait: float | None,
    timeout: float | None,
) -> dict[str, Any]:
    for name, given in (("resume", resume), ("dry_run", dry_run)):
        if given == "" or not isinstance(given, (bool, str) if name == "resume" else (bool, DryRun)):
            what = "True, or the id of a run" if name == "resume" else "True, or a DryRun"
            raise TypeError(f"{name} is {what}, and not {given!r}")
    for name, seconds in (("wait", wait), ("timeout", timeout)):
        if seconds is None:
            continue
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            raise TypeError(f"{name} is a number of seconds, and not {seconds!r}")
        if not 0 <= seconds < 1e9:
            raise ValueError(f"{name} is a number of seconds from 0 on, and not {seconds!r}")
    if record is not None and replay is not None:
        raise ValueError("what is replayed is recorded already: record or replay")
    if force and not resume:
        raise ValueError("force says how a run is gone on with: it needs resume")
    if resume and (select or exclude or in_order or from_step or dry_run):
        raise ValueError("a run is gone on with as it was begun: resume takes no select, exclude, in_order, from_step or dry_run")
    tried = DryRun() if dry_run is True else dry_run or None
    return {
        "select": _ids(select),
        "exclude": _ids(exclude),
        "in_order": bool(in_order),
        "from_step": None if from_step is None else str(from_step),
        "resume": "" if resume is True else resume or None,
        "force": bool(force),
        "record": _path("record", record),
        "replay": _path("replay", replay),
        "wait": wait,
        "timeout": timeout,
        "dry_run": None
        if tried is None
        else {
            "sample": _count("sample", tried.sample),
            "fixtures": _path("fixtures", tried.fixtures),
            "offline": bool(tried.offline),
            "diff": bool(tried.diff),
        },
    }
