"""Compares what comes out of the cases with the Python Sequor 1.2.0 and with this one.

It is started by `run`; README.md tells how a case is written.
"""

import argparse
import concurrent.futures
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from ruamel.yaml import YAML

import meant
from api import Api
from databases import DuckDatabase, NoDatabase, Postgres, PostgresDatabase
from peer import Peer

HERE = os.path.dirname(os.path.abspath(__file__))
PARTS = ("runs", "printed", "requests", "tables", "variables")
TIMEOUT = 20
KEYS = {
    "name", "about", "databases", "setup", "sources", "env", "envs", "flows", "project", "files", "process", "variables", "api",
    "runs", "compare", "meant", "ours",
}  # fmt: skip
COMPARE = {"order_of_requests", "order_of_rows", "headers", "methods", "body", "skip"}
API_SOURCE = "type: http\nauth:\n  type: bearer_token\n  token: token-of-the-api\n"


def read_cases():
    """Reads every case of every topic, and refuses keys that mean nothing."""
    cases = []
    for path in sorted(glob.glob(os.path.join(HERE, "cases", "*.yaml"))):
        topic = os.path.basename(path)[: -len(".yaml")]
        with open(path) as file:
            for case in YAML(typ="safe", pure=True).load(file) or []:
                unknown = (set(case) - KEYS) | (set(case.get("compare", {})) - COMPARE) | (set(case.get("ours", {})) - set(PARTS))
                if unknown or not {"name", "about", "flows"} <= set(case) or ("meant" in case) != ("ours" in case):
                    raise SystemExit(f"{path}: {case.get('name')}: unknown or missing keys {sorted(unknown)}")
                case["topic"] = topic
                case["id"] = f"{topic}/{case['name']}"
                cases.append(case)
    ids = [c["id"] for c in cases]
    double = {i for i in ids if ids.count(i) > 1}
    if double:
        raise SystemExit(f"names of two cases: {', '.join(sorted(double))}")
    return cases


def kinds(case):
    """Tells on which databases a case runs."""
    given = case.get("databases", ["postgres", "duckdb"])
    return given if isinstance(given, list) else [given]


def choose(cases, options):
    """Gives pairs of case and database: all, those of a name, or a sample that holds a part of every topic."""
    if options.case:
        cases = [c for c in cases if options.case in c["id"]]
    if not options.sample:
        return [(c, kind) for c in cases for kind in kinds(c)]
    chosen, counts = [], {}
    for case in cases:
        place = counts[case["topic"]] = counts.get(case["topic"], -1) + 1
        if place % 4 == 0:
            # The databases take turns.
            on = kinds(case)
            chosen.append((case, on[place // 4 % len(on)]))
    return chosen


class Suite:
    """Runs cases with both programs."""

    def __init__(self, options):
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="sequor-cases-")
        self.postgres = None
        self.local = threading.local()
        self.lock = threading.Lock()
        self.count = 0

    def run(self, case, kind, peer):
        """Runs a case with both; gives what differs, and both outcomes."""
        with self.lock:
            self.count += 1
            number = self.count
        theirs = self.outcome(case, kind, f"t{number}", lambda *a: self.run_theirs(peer, *a))
        ours = self.outcome(case, kind, f"o{number}", self.run_ours)
        return differences(case, theirs, ours), theirs, ours

    def database(self, kind, folder, name):
        """Makes an empty database."""
        if kind == "postgres":
            return PostgresDatabase(self.postgres, name)
        return DuckDatabase(folder) if kind == "duckdb" else NoDatabase()

    def outcome(self, case, kind, name, run):
        """Makes the project and its database, runs the flows, and gives what came out as lines of text."""
        folder = os.path.join(self.folder, name)
        project, home = os.path.join(folder, "project"), os.path.join(folder, "home")
        os.makedirs(project)
        database = self.database(kind, folder, name)
        api = Api(case.get("api"), database.execute)
        try:
            setup = case.get("setup")
            setup = setup.get(kind) if isinstance(setup, dict) else setup
            if setup and kind != "none":
                database.execute(setup)
            self.write(case, project, home, database, api)
            ran = []
            for one in case.get("runs", ["main"]):
                one = {"flow": one} if isinstance(one, str) else one
                arguments = ["run", one["flow"]]
                given = one.get("options", [])
                if "--home-dir" not in given:
                    arguments += ["--home-dir", home]
                if "--env" not in given and not one.get("without_env"):
                    arguments += ["--env", "dev"]
                if "--project-dir" not in given and "-p" not in given:
                    arguments += ["--project-dir", project]
                environment = {"HOME": folder, "TZ": "UTC", **case.get("process", {})}
                ran.append(run(project, [*arguments, *map(str, given)], environment))
            return self.collect(case, ran, database, api, home, folder)
        finally:
            api.close()
            database.drop()
            shutil.rmtree(folder, ignore_errors=True)

    def write(self, case, project, home, database, api):
        """Writes the files of a project. `$BASE`, `$CONN` and `$SOURCE` stand for the API, the database and its source file."""
        source = database.source() if database.kind != "none" else ""
        files = {
            f"{project}/project.yaml": case.get("project", "name: p\n"),
            f"{project}/sources/api.yaml": API_SOURCE,
            f"{project}/sources/db.yaml": source,
            f"{home}/envs/dev.yaml": case.get("env", "variables:\n  base: $BASE\n"),
        }
        files |= {f"{home}/envs/{n}.yaml": text for n, text in case.get("envs", {}).items()}
        files |= {f"{project}/sources/{n}.yaml": text for n, text in case.get("sources", {}).items()}
        files |= {f"{project}/flows/{n}.yaml": text for n, text in case["flows"].items()}
        files |= {f"{project}/{n}": text for n, text in case.get("files", {}).items()}
        if "variables" in case:
            files[f"{home}/project_state/p/variables.yaml"] = case["variables"]
        for path, text in files.items():
            if text is None or text == "":
                continue
            for place, value in (("$SOURCE", source), ("$CONN", database.conn), ("$BASE", api.base), ("$PROJECT", project)):
                text = text.replace(place, value)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", newline="") as file:
                file.write(text)

    def run_theirs(self, peer, project, arguments, environment):
        """Runs a flow with the Python Sequor."""
        ran = peer.run(project, arguments, environment, TIMEOUT)
        return {**ran, "printed": "".join(f"{text}\n" for text in ran["printed"]).split("\n")[:-1]}

    def run_ours(self, project, arguments, environment):
        """Runs a flow with this program."""
        # DuckDB's library is found through Python, as the Python Sequor finds it.
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": self.options.peer, **environment}
        try:
            ran = subprocess.run(
                [self.options.bin, *arguments, "--quiet"],
                cwd=project, env=environment, capture_output=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            return {"ok": False, "timeout": True, "printed": [], "log": (late.stderr or b"").decode(errors="replace")}
        printed = ran.stdout.decode(errors="replace").split("\n")[:-1]
        log = f"exit {ran.returncode}\n" + ran.stderr.decode(errors="replace")
        return {"ok": ran.returncode == 0, "exit": ran.returncode, "timeout": False, "printed": printed, "log": log}

    def collect(self, case, ran, database, api, home, folder):
        """Writes what came out as lines of text. What runs cannot share, folders and ports, is put out of sight."""
        compare = case.get("compare", {})
        try:
            tables = database.tables(compare.get("order_of_rows"))
        except Exception as error:
            tables = [f"tables cannot be read: {error}"]
        requests = [request(r, compare) for r in api.requests if r[0] in compare.get("methods", [r[0]])]
        outcome = {
            "runs": ["timeout" if r["timeout"] else "ok" if r["ok"] else "failed" for r in ran],
            "printed": [line for r in ran for line in r["printed"]],
            "requests": requests if compare.get("order_of_requests") else sorted(requests),
            "tables": tables,
            "variables": variables(home),
        }
        places = [(api.base, "$BASE"), (f"127.0.0.1:{api.port}", "$HOST"), (folder, "$FOLDER")]
        for part in PARTS:
            for value, place in places:
                outcome[part] = [line.replace(value, place) for line in outcome[part]]
        outcome["log"] = "\n--- next run\n".join(r["log"] for r in ran)
        return outcome


def request(sent, compare):
    """Writes a request as a line. JSON is written anew, as its spaces mean nothing, unless the case compares bytes."""
    method, path, headers, body = sent
    line = f"{method} {path}"
    shown = ["authorization", *(name.lower() for name in compare.get("headers", []))]
    for name in shown:
        for value in [v for n, v in headers if n.lower() == name]:
            line += f" [{name}: {value}]"
    if body:
        text = body.decode(errors="backslashreplace")
        if compare.get("body") != "bytes":
            try:
                text = json.dumps(json.loads(text), ensure_ascii=False)
            except ValueError:
                pass
        line += f" {text}"
    return line


def variables(home):
    """Reads the variables kept for the next run, as the Python Sequor reads them."""
    lines = []
    for path in sorted(glob.glob(f"{home}/project_state/*/variables.yaml")):
        project = path.split("/")[-2]
        prefix = "" if project == "p" else f"{project}: "
        with open(path) as file:
            try:
                kept = YAML(typ="safe", pure=True).load(file) or {}
            except Exception as error:
                lines.append(f"{prefix}cannot be read: {error}")
                continue
        lines += [f"{prefix}{name} = {value!r}" for name, value in kept.items()]
    return sorted(lines)


def differences(case, theirs, ours):
    """Tells what differs from what is wanted, a line for each part; none when all is as it should be."""
    skip = case.get("compare", {}).get("skip", [])
    meant = case.get("ours", {})
    found = []
    for part in PARTS:
        if part in skip:
            continue
        if part in meant:
            if ours[part] == theirs[part]:
                found.append(f"{part}: no longer different")
            elif ours[part] != meant[part]:
                found.append(f"{part}: {first_difference(meant[part], ours[part], 'meant')}")
        elif theirs[part] != ours[part]:
            found.append(f"{part}: {first_difference(theirs[part], ours[part], 'theirs')}")
    if "timeout" in theirs["runs"]:
        found.append("theirs: a run took too long")
    return found


def first_difference(wanted, got, name):
    """Shows the lines that only one of both has."""
    missing, extra = list(wanted), []
    for line in got:
        if line in missing:
            missing.remove(line)
        else:
            extra.append(line)
    if not missing and not extra:
        missing, extra = wanted, got
    return f"{name} {shown(missing)} | ours {shown(extra)}"


def shown(lines):
    """Writes a few lines as one."""
    text = " ; ".join(lines[:3]) + (f" ; and {len(lines) - 3} more" if len(lines) > 3 else "")
    return text[:300] if lines else "-"


def error_of(log):
    """Finds the first error in what our program told."""
    for line in log.splitlines():
        if re.match(r"error", line):
            return line[:260]
    return ""


def reason(theirs, ours):
    """Gives the error of the one that failed alone."""
    if theirs["runs"] == ours["runs"]:
        return ""
    if "failed" in ours["runs"]:
        return error_of(ours["log"])
    told = [line for line in theirs["log"].splitlines() if line.startswith("ERROR")]
    return f"theirs: {told[0][:260]}" if told else ""


def report(found, theirs, ours):
    """Writes both outcomes in full."""
    lines = []
    for name, outcome in (("theirs", theirs), ("ours", ours)):
        lines.append(f"  {name}:")
        for part in PARTS:
            lines += [f"    {part}: {line}" for line in outcome[part]]
        failed = any(r != "ok" for r in outcome["runs"])
        if failed:
            log = outcome["log"].splitlines()
            if name == "theirs":
                log = [line for line in log if line.startswith("ERROR")] or log[-5:]
            lines += [f"    log: {line}" for line in log[:14]]
    return "\n".join(lines)


def read_open(path):
    """Reads the names of the cases that differ still and are to be mended: a line each, without what follows `#`."""
    path = path or os.path.join(os.path.dirname(os.path.abspath(__file__)), "open.txt")
    if not os.path.exists(path):
        return set()
    with open(path) as file:
        lines = (line.split("#")[0].strip() for line in file)
        return {line for line in lines if line}


def main():
    """Reads the command line, runs the chosen cases and tells what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", required=True, help="the folder of the Python Sequor and its packages")
    parser.add_argument("--bin", required=True, help="the program to test")
    parser.add_argument("--sample", action="store_true", help="a fixed part of the cases")
    parser.add_argument("--case", help="a part of a case's name, as topic/name")
    parser.add_argument("--page", action="store_true", help="write the page of the differences that are meant anew")
    parser.add_argument("--open", help="a file of the cases that are known to differ still; default: open.txt beside this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="print both outcomes")
    parser.add_argument("--report", help="a file for both outcomes of what failed")
    options = parser.parse_args()
    options.bin = os.path.abspath(options.bin)
    if not os.access(options.bin, os.X_OK):
        raise SystemExit(f"no program {options.bin}: cargo build")
    cases = read_cases()
    stale = meant.check(cases, options.page)
    chosen = choose(cases, options)
    # Forked before there are threads.
    peers = [Peer() for _ in range(max(1, options.jobs))]
    # What was started is stopped also then.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    suite = Suite(options)
    known = read_open(options.open)
    still, failed = [], []
    told = open(options.report, "w") if options.report else None
    try:
        if any(kind == "postgres" for _, kind in chosen):
            suite.postgres = Postgres()
        free = list(peers)

        def one(pair):
            with suite.lock:
                peer = free.pop()
            try:
                return suite.run(*pair, peer)
            finally:
                with suite.lock:
                    free.append(peer)

        with contextlib.ExitStack() as stack:
            pool = concurrent.futures.ThreadPoolExecutor(max(1, options.jobs))
            # Stopped early, what has not begun is dropped.
            stack.callback(pool.shutdown, wait=True, cancel_futures=True)
            for (case, kind), result in zip(chosen, pool.map(one, chosen)):
                found, theirs, ours = result
                name = f"{case['id']} [{kind}]"
                if found and name in known:
                    still.append(name)
                elif not found and name in known:
                    failed.append(name)
                    print(f"FAIL {name}: no longer differs: take it off the list of open cases", flush=True)
                if found:
                    if name in known and not told:
                        continue
                    if name not in known:
                        failed.append(name)
                    why = reason(theirs, ours)
                    line = f"FAIL {name}: {' || '.join(found)}" + (f" || {why}" if why else "")
                    print(line, flush=True)
                    if told:
                        told.write(f"{line}\n{report(found, theirs, ours)}\n")
                        told.flush()
                if options.show:
                    print(f"{name}\n{report(found, theirs, ours)}", flush=True)
    finally:
        for peer in peers:
            peer.close()
        if suite.postgres:
            suite.postgres.stop()
        shutil.rmtree(suite.folder, ignore_errors=True)
    if still:
        print(f"{len(still)} cases still differ, as open.txt says")
    print(f"{len(chosen) - len(failed) - len(still)} passed, {len(failed)} failed")
    if stale:
        print(stale)
    return 1 if failed or stale else 0


if __name__ == "__main__":
    sys.exit(main())
