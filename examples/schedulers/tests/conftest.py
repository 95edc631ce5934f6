"""A project as `sequor init` makes it, with a flow whose second step fails until it is told not to."""

from __future__ import annotations

from pathlib import Path

import pytest
from sequor_engine import Runner

FAILS = """
- op: set_variable
  id: first
  set: {a: 1}
- op: set_variable
  id: second
  set_expression: "{'b': 1 / int(open('number').read())}"
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Runner().invoke(["init", str(folder)]).success
    (folder / "flows/fails.yaml").write_text(FAILS)
    (folder / "number").write_text("0")
    monkeypatch.chdir(folder)
    return folder
