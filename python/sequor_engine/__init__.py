"""Sequor for Python: flows between databases and APIs, checked, planned and run.

>>> from sequor_engine import Project
>>> Project(folder).plan("orders")["flow"]
'orders'
"""

# What type checkers take for true. The program `sequor` starts faster without the modules below, and with `typing`, too.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._engine import Rows, Stop, __version__
    from ._plan import Plan
    from ._results import ErrorInfo, RunResult, StepResult
    from .errors import Finding, Place, ProjectError, RunError, SequorError
    from .project import ArrowStream, DryRun, Event, Project
    from .runner import Runner, RunnerResult

__all__ = [
    "ArrowStream",
    "DryRun",
    "ErrorInfo",
    "Event",
    "Finding",
    "Place",
    "Plan",
    "Project",
    "ProjectError",
    "Rows",
    "RunError",
    "RunResult",
    "Runner",
    "RunnerResult",
    "SequorError",
    "StepResult",
    "Stop",
    "__version__",
]

_HOMES = {
    "ArrowStream": "project",
    "DryRun": "project",
    "ErrorInfo": "_results",
    "Event": "project",
    "Finding": "errors",
    "Place": "errors",
    "Plan": "_plan",
    "Project": "project",
    "ProjectError": "errors",
    "Rows": "_engine",
    "RunError": "errors",
    "RunResult": "_results",
    "Runner": "runner",
    "RunnerResult": "runner",
    "SequorError": "errors",
    "StepResult": "_results",
    "Stop": "_engine",
    "__version__": "_engine",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    found: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
