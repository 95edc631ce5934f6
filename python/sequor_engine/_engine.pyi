from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Final, final

__all__ = ["Engine", "Rows", "Stop", "__version__", "invoke", "main", "settle"]

__version__: Final[str]

@final
class Engine:
    def __new__(
        cls,
        path: str | PathLike[str],
        home: str | PathLike[str] | None,
        env: str | None,
        vars: dict[str, Any],
    ) -> Engine: ...
    def validate(self, flow: str | None) -> str: ...
    def plan(
        self,
        flow: str,
        vars: dict[str, Any],
        select: Sequence[str],
        exclude: Sequence[str],
        in_order: bool,
    ) -> tuple[str, str, str]: ...
    def run(
        self,
        flow: str,
        vars: dict[str, Any],
        options: Mapping[str, Any],
        stop: Stop,
        on_event: Callable[[str], object] | None,
    ) -> tuple[str, str | None]: ...
    def query(self, source: str, sql: str) -> Rows: ...
    def table(self, source: str, name: str) -> Rows: ...
    def load(
        self,
        source: str,
        table: str,
        data: object,
        write_mode: str,
        primary_key: Sequence[str],
    ) -> int: ...

@final
class Rows:
    """The rows of a query or a table, streamed from the database: an Arrow stream that is read once."""

    @property
    def columns(self) -> list[str]:
        """The names of the columns."""
    def to_pylist(self) -> list[dict[str, Any]]:
        """All rows, as a list of dictionaries."""
    def __arrow_c_schema__(self) -> object: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

@final
class Stop:
    def __new__(cls) -> Stop: ...
    def stop(self) -> None:
        """Tells the run to stop: steps take back what did not take effect."""

def main(words: Sequence[str]) -> int: ...
def invoke(words: Sequence[str], stop: Stop) -> tuple[int, str | None]: ...
def settle() -> bool: ...
