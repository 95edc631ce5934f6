"""A new project for each test, with a home of its own."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sequor_engine import Project, Runner


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a project as `sequor init` makes it, in which the test runs."""
    project = tmp_path / "project"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert Runner().invoke(["init", str(project)]).success
    monkeypatch.chdir(project)
    return project


@pytest.fixture
def project(folder: Path) -> Project:
    return Project(folder)


@pytest.fixture(autouse=True)
def in_docstrings(doctest_namespace: dict[str, Any], request: pytest.FixtureRequest) -> None:
    """Docstrings name their project `folder`."""
    if isinstance(request.node, pytest.DoctestItem):
        doctest_namespace["folder"] = str(request.getfixturevalue("folder"))
        import sequor_engine

        for name in sequor_engine.__all__:
            doctest_namespace[name] = getattr(sequor_engine, name)


class Slow(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(0.3)
        body = b'{"done": true}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def slow(folder: Path) -> Iterator[Project]:
    """A project whose flow `slow` makes 40 requests, one after the other, of 0.3 s each."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / "sources/slow.yaml").write_text(
        f"type: http\nbase_url: http://127.0.0.1:{server.server_port}\nconcurrency: 1\n"
    )
    (folder / "flows/slow.yaml").write_text(
        "- op: http_request\n"
        "  id: ask\n"
        "  for_each: {values_expression: 'list(range(40))', as: n}\n"
        "  request: {source: slow, url: \"/{{ var('n') }}\", method: GET}\n"
    )
    yield Project(folder)
    server.shutdown()
