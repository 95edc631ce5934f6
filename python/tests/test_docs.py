"""What the pages show of Python is run."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from sequor_engine import Runner

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(("page", "name"), [("docs/python.md", "shop"), ("python/README.md", "my_project")])
def test_blocks_of_pages_run(page: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert Runner().invoke(["init", name]).success
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        script = tmp_path / f"block{number}.py"
        script.write_text(block)
        runpy.run_path(str(script), run_name="__main__")
