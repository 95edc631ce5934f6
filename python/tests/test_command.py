"""The console script is the program: init, test, run, the example; expressions see the packages of its virtualenv."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from sequor_engine import Project, Runner, __version__

SEQUOR = Path(sysconfig.get_path("scripts")) / "sequor"
EXAMPLES = Path(__file__).parents[2] / "examples"


def sequor(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    # Neither Rust nor a virtualenv that is active is needed.
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder / "home")}
    return subprocess.run([SEQUOR, *words], cwd=folder, env=environment, capture_output=True, text=True)


def test_from_nothing_to_a_run(tmp_path: Path) -> None:
    assert sequor("init", "my_project", folder=tmp_path).returncode == 0
    project = tmp_path / "my_project"
    tested = sequor("test", folder=project)
    assert tested.returncode == 0 and "3 passed" in tested.stdout + tested.stderr, tested
    ran = sequor("run", "orders", "--replay", "recordings/orders", folder=project)
    assert ran.returncode == 0 and "done" in ran.stderr, ran
    assert sequor("version", folder=project).stdout == f"sequor {__version__}\n"
    wrong = sequor("run", "nothing", folder=project)
    assert wrong.returncode == 2 and "nothing" in wrong.stderr
    assert sequor("--nothing", folder=project).returncode == 2
    assert sequor("--help", folder=project).returncode == 0


def test_the_example_runs_and_its_tests_pass(tmp_path: Path) -> None:
    project = tmp_path / "example"
    shutil.copytree(EXAMPLES / "shopify_mailchimp", project, ignore=shutil.ignore_patterns("home", "sent"))
    (tmp_path / "home").mkdir()
    shutil.copytree(EXAMPLES / "shopify_mailchimp/home/envs", project / "home/envs")
    ran = sequor("--home-dir", "home", "run", "shopify_mailchimp", "--replay", "recordings", folder=project)
    assert ran.returncode == 0, ran.stderr
    assert sequor("test", folder=project).returncode == 0


def test_expressions_see_the_packages_of_the_virtualenv(tmp_path: Path) -> None:
    assert sequor("init", "own", folder=tmp_path).returncode == 0
    project = tmp_path / "own"
    (project / "flows/own.yaml").write_text(
        "- op: print\n  message_expression: |\n    import pyarrow\n    import sys\n"
        "    return pyarrow.__name__ + ' ' + sys.prefix\n"
    )
    ran = sequor("run", "own", folder=project)
    assert ran.returncode == 0, ran.stderr
    assert f"pyarrow {sys.prefix}" in ran.stdout


def test_commands_for_programs(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    runner = Runner()
    ran = runner.invoke(["run", "orders", "--replay", "recordings/orders"])
    assert ran.success and ran.exit_code == 0 and ran.result is not None
    assert ran.result.step("fetch_orders").rows == 3
    assert runner.invoke(["validate"]).result is None
    wrong = runner.invoke(["run", "nothing"])
    assert not wrong.success and wrong.exit_code == 2 and wrong.result is None
    assert runner.invoke(["nothing"]).exit_code == 2
    assert runner.invoke(["--version"]).success
    with pytest.raises(TypeError, match="list of words"):
        runner.invoke("validate")
    (folder / "flows/fails.yaml").write_text("- op: set_variable\n  set_expression: \"{'b': 1 / 0}\"\n")
    failed = runner.invoke(["run", "fails"])
    assert failed.exit_code == 1 and failed.result is not None and failed.result.status == "failed"
    assert "division" in capfd.readouterr().err


def test_the_module_is_the_program(folder: Path) -> None:
    ran = subprocess.run([sys.executable, "-m", "sequor_engine", "validate"], cwd=folder, capture_output=True, text=True)
    assert ran.returncode == 0 and "all good" in ran.stdout


def test_modules_are_loaded_when_they_are_asked_for() -> None:
    script = "import sequor_engine._cli, sys; print('asyncio' in sys.modules, 'json' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ})
    assert ran.stdout == "False False\n", ran
    assert Project.__name__ in dir(sys.modules["sequor_engine"])
