#!/usr/bin/env python3
"""What an incremental pull costs beside the same requests without a state.

    cargo build --release
    benches/incremental.py [path to sequor] [partitions] [windows]

Starts nginx on loopback, which answers each request with one row, and PostgreSQL. A step asks once for each of many rows: with a
state for each of them, and without, as fast as nginx answers and at 5,000 requests in a second; and a step asks for many windows, each committed with its state, beside as many requests
that are loaded at once. Prints the best of three of each, in turn: the ratio, and what a window's commit adds. Needs nginx, initdb
and psql.
"""

import contextlib
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fan_out
from million_rows import Postgres

PARTITIONS = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
WINDOWS = int(sys.argv[3]) if len(sys.argv) > 3 else 300
ROUNDS = 3
# More than APIs let through.
RATE = 5_000

LOCATION = """
    location / { default_type application/json; return 200 '{"rows": [{"id": 1, "at": "2024-01-01T00:00:00Z"}]}'; }
"""

TABLE = """
  response:
    tables: [{source: wh, table: %s, data_path: rows, write_mode: upsert, primary_key: [id], columns: {id: bigint, at: timestamptz}}]
"""


def flows(series):
    each = """
- op: http_request
  id: pull
  for_each: {source: wh, table: %s, as: one}
  request:
    source: api
    url: "/x/{{ var('one')['id'] }}"
"""
    state = "    incremental: {cursor: at, initial: 2024-01-01, start_param: since, partition: [id]}\n"
    windows = "    incremental: {cursor: at, initial: 2024-01-01, start_param: since, end_param: until, window: 1d}\n"
    return {
        "fill": f"""
- {{op: transform, source: wh, target_table: many, query: "select {series % PARTITIONS}"}}
- {{op: transform, source: wh, target_table: few, query: "select {series % WINDOWS}"}}
""",
        "plain": each % "many" + TABLE % "plain_rows",
        "state": each % "many" + state + TABLE % "state_rows",
        "limited_plain": (each % "many").replace("source: api", "source: limited") + TABLE % "limited_plain_rows",
        "limited_state": (each % "many").replace("source: api", "source: limited") + state + TABLE % "limited_rows",
        "once": (each % "few").replace("url:", "concurrency: 1\n    url:") + TABLE % "once_rows",
        "windows": "\n- op: http_request\n  id: windows\n  request:\n    source: api\n    url: /x\n"
        + windows + TABLE % "window_rows",
    }


def measure(sequor, folder, port, database, source, series):
    project = folder / database
    files = {
        "project.yaml": "name: bench\n",
        "sources/wh.yaml": source,
        "sources/api.yaml": f"type: http\nbase_url: http://127.0.0.1:{port}\nconcurrency: 64\n",
        "sources/limited.yaml": f"type: http\nbase_url: http://127.0.0.1:{port}\nconcurrency: 64\nrate_limit: {{requests: {RATE}, per: second}}\n",
        **{f"flows/{name}.yaml": text for name, text in flows(series).items()},
    }
    fan_out.write_project(project, files)

    def call(*args):
        begun = time.perf_counter()
        command = [sequor, "--home-dir", folder / "home" / database, "--quiet", *args]
        ran = subprocess.run(command, cwd=project, capture_output=True, text=True)
        if ran.returncode != 0:
            sys.exit(f"{database}: {args}: {ran.stderr}")
        return time.perf_counter() - begun

    call("run", "fill")
    until = time.strftime("%Y-%m-%d", time.gmtime(1704067200 + WINDOWS * 86400))
    best = dict.fromkeys(("plain", "first", "next", "once", "windows"), float("inf"))
    for _ in range(ROUNDS):
        took = {"plain": call("run", "plain")}
        took["first"] = call("run", "state", "--full-refresh")
        took["next"] = call("run", "state")
        took["once"] = call("run", "once")
        took["windows"] = call("run", "windows", "--from", "2024-01-01", "--until", until)
        best = {name: min(seconds, took[name]) for name, seconds in best.items()}
    window = (best["windows"] - best["once"]) / WINDOWS * 1000
    limited = {"plain": call("run", "limited_plain"), "first": call("run", "limited_state"), "next": call("run", "limited_state")}
    print(
        f"{database:<9} {PARTITIONS} rows: without a state {best['plain']:.2f} s, with {best['first']:.2f} s ({best['first'] / best['plain']:.2f} x), "
        f"the next time {best['next']:.2f} s ({best['next'] / best['plain']:.2f} x)   {WINDOWS} windows: {best['windows']:.2f} s "
        f"beside {best['once']:.2f} s, {window:.1f} ms each\n"
        f"          at {RATE} requests in a second: {limited['plain']:.2f} s, with {limited['first']:.2f} s ({limited['first'] / limited['plain']:.3f} x), "
        f"the next time {limited['next']:.2f} s ({limited['next'] / limited['plain']:.3f} x)",
        flush=True,
    )


def main():
    sequor = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else fan_out.TARGET / "release" / "sequor").resolve()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        port = stack.enter_context(fan_out.nginx(folder, LOCATION))
        server = Postgres(folder)
        stack.callback(server.stop)
        counted = "with recursive g(id) as (select 1 union all select id + 1 from g where id < %d) select id from g"
        sources = {
            "postgres": (f"type: postgres\nconn_str: {server.url}\n", "g as id from generate_series(1, %d) g"),
            "sqlite": ("type: sqlite\nconn_str: sqlite:///wh.db\n", f"id from ({counted})"),
            "staging": ("type: staging\n", "value as id from generate_series(1, %d)"),
        }
        for database, (source, series) in sources.items():
            measure(sequor, folder, port, database, source, series)


if __name__ == "__main__":
    main()
