"""The command line, for Python programs."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from . import _engine
from ._results import RunResult, result_of

atexit.register(_engine.settle)


@dataclass(frozen=True)
class RunnerResult:
    """What a command came to."""

    success: bool
    """Whether it would exit with 0."""
    exit_code: int
    """0 done, 1 the flow failed, 2 the project or the command line is wrong, 130 interrupted."""
    result: RunResult | None
    """What a run did; None of other commands, and where none began."""


class Runner:
    """Runs commands as ``sequor`` does, in this process; they print on standard output and standard error.

    Example:
        >>> Runner().invoke(["--project-dir", folder, "validate"]).success
        True
    """

    def invoke(self, args: Sequence[str]) -> RunnerResult:
        """Runs a command. Ctrl-C stops a run in order.

        Args:
            args: The words of the command line behind ``sequor``.
        """
        if isinstance(args, str):
            raise TypeError(f"a list of words is needed, and not the text {args!r}")
        stop = _engine.Stop()
        came: list[tuple[int, str | None] | BaseException] = []
        # Not `Thread.join`: before Python 3.13, one that an interrupt ends takes the thread for ended, and so does the exit of
        # the interpreter.
        done = threading.Event()

        def work() -> None:
            try:
                came.append(_engine.invoke(["sequor", *args], stop))
            except BaseException as error:
                came.append(error)
            finally:
                done.set()

        threading.Thread(target=work, name="sequor").start()
        try:
            done.wait()
        except BaseException:
            stop.stop()
            # A second one ends the wait.
            done.wait()
            raise
        ended = came[0]
        if isinstance(ended, BaseException):
            raise ended
        code, report = ended
        result = None if report is None else result_of(report, None, None)
        return RunnerResult(code == 0, code, result)
