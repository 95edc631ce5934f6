"""What a run did."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .errors import Place, RunError, place_of


@dataclass(frozen=True)
class StepResult:
    """What a step did, all its iterations together."""

    step: str
    """Its id."""
    op: str
    """Its operation: ``http_request``, ``transform``, ..."""
    status: str
    """``done``, ``failed``, ``caught``, ``skipped``, ``cancelled`` or ``already_done``."""
    rows: int
    """Rows written to tables."""
    requests: int
    """Requests sent, without retries."""
    retries: int
    rejects: int
    """Rows that failed for good and were kept apart."""
    seconds: float
    runs: int
    """How often it ran."""


@dataclass(frozen=True)
class ErrorInfo:
    """Why a run failed."""

    code: str
    """What ``sequor explain`` knows."""
    message: str
    place: Place | None
    help: str | None
    traceback: str | None
    """That of Python code in the flow."""


@dataclass(frozen=True)
class RunResult:
    """How a run ended, and what its steps did."""

    run_id: str | None
    """A UUID that sorts by time; what ``sequor show`` and ``resume=`` take. None where no event told it."""
    flow: str
    status: str
    """``done``, ``failed`` or ``interrupted``."""
    seconds: float
    steps: list[StepResult]
    """In the order in which they ended."""
    error: ErrorInfo | None
    """Why it failed."""
    resumable: bool
    """Whether ``run(flow, resume=True)`` goes on with it."""
    dry_run: dict[str, Any] | None = None
    """What a dry run found: its tables and the requests that it did not send."""
    raw: str = field(default="", repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether it is done."""
        return self.status == "done"

    @property
    def rows(self) -> int:
        """Rows written to tables."""
        return sum(step.rows for step in self.steps)

    @property
    def requests(self) -> int:
        """Requests sent, without retries."""
        return sum(step.requests for step in self.steps)

    @property
    def rejects(self) -> int:
        """Rows that failed for good and were kept apart."""
        return sum(step.rejects for step in self.steps)

    def step(self, id: str) -> StepResult:
        """Returns what a step did, by its id.

        Raises:
            KeyError: No step of this id ran.
        """
        for step in self.steps:
            if step.step == id:
                return step
        raise KeyError(id)

    def raise_for_status(self) -> RunResult:
        """Returns the result of a run that is done.

        Raises:
            RunError: It failed or was interrupted.
        """
        if self.ok:
            return self
        report = json.loads(self.raw).get("error") or {
            "code": "",
            "message": f"flow {self.flow}: {self.status}",
        }
        error = RunError(report=json.dumps(report))
        error.result = self
        raise error

    def to_dict(self) -> dict[str, Any]:
        """Returns it as plain data, as ``sequor run --format json`` has it in its last line."""
        data: dict[str, Any] = json.loads(self.raw)
        data["run"] = self.run_id
        if self.dry_run is not None:
            data["dry_run"] = self.dry_run
        return data


def result_of(report: str, run_id: str | None, dry_run: str | None) -> RunResult:
    told = json.loads(report)
    steps = [
        StepResult(
            step["step"],
            step["op"],
            step["status"],
            step["rows"],
            step["requests"],
            step["retries"],
            step.get("rejects", 0),
            step["seconds"],
            step["runs"],
        )
        for step in told["steps"]
    ]
    error = told.get("error")
    return RunResult(
        run_id=run_id,
        flow=told["flow"],
        status=told["status"],
        seconds=told["seconds"],
        steps=steps,
        error=None
        if error is None
        else ErrorInfo(
            error["code"],
            error["message"],
            place_of(error.get("place")),
            error.get("help"),
            error.get("traceback"),
        ),
        resumable=bool(told.get("resumable", False)),
        dry_run=None if dry_run is None else json.loads(dry_run),
        raw=report,
    )
