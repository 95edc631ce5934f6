"""What goes wrong, as exceptions: a code that ``sequor explain`` knows, the place in the project's files, and what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["Finding", "Place", "ProjectError", "RunError", "SequorError"]


@dataclass(frozen=True)
class Place:
    """A place in a file of the project."""

    file: str
    """The file, relative to the project's folder."""
    line: int
    """From 1."""
    column: int
    """From 1."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


def place_of(data: dict[str, Any] | None) -> Place | None:
    return None if data is None else Place(data["file"], data["line"], data["column"])


@dataclass(frozen=True)
class Finding:
    """Something that a check found."""

    severity: str
    """``error`` or ``warning``."""
    code: str
    """What ``sequor explain`` knows."""
    message: str
    place: Place | None
    """Where; None when it is about the project as a whole."""
    help: str | None
    """What to do about it."""

    def __str__(self) -> str:
        place = "" if self.place is None else f"{self.place}: "
        help = "" if self.help is None else f" ({self.help})"
        return f"{place}{self.severity}[{self.code}]: {self.message}{help}"


def finding_of(data: dict[str, Any]) -> Finding:
    return Finding(data["severity"], data["code"], data["message"], place_of(data["place"]), data["help"])


class SequorError(Exception):
    """An error of the engine."""

    code: str
    """What ``sequor explain`` knows."""
    message: str
    place: Place | None
    """Where in the project's files; None when it is not known."""
    help: str | None
    """What to do about it."""

    def __init__(self, *, report: str, findings: str = "[]") -> None:
        told = json.loads(report)
        self.code = told["code"]
        self.message = told["message"]
        self.place = place_of(told.get("place"))
        self.help = told.get("help")
        super().__init__(self.message)

    def __str__(self) -> str:
        place = "" if self.place is None else f" ({self.place})"
        help = "" if self.help is None else f"; {self.help}"
        return f"{self.code}: {self.message}{place}{help}"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_unpickled, (type(self), self.__dict__))


def _unpickled(cls: type[SequorError], state: dict[str, Any]) -> SequorError:
    error = cls.__new__(cls)
    Exception.__init__(error, state["message"])
    error.__dict__.update(state)
    return error


class ProjectError(SequorError):
    """The project's files, its environment or what was asked for are wrong: nothing was run."""

    findings: list[Finding]
    """All mistakes and warnings that the compiler found; empty where it is not a matter of the files' text."""

    def __init__(self, *, report: str, findings: str = "[]") -> None:
        super().__init__(report=report)
        self.findings = [finding_of(found) for found in json.loads(findings)]

    def __str__(self) -> str:
        if not self.findings:
            return super().__str__()
        return "\n".join(str(found) for found in self.findings)


class RunError(SequorError):
    """A run failed or was interrupted. ``result`` says what its steps did."""

    result: Any
    """The :class:`sequor_engine.RunResult`."""
