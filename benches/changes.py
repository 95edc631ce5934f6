#!/usr/bin/env python3
"""What a sync of changed rows costs: a million rows of which a thousand have changed, beside the join of the two tables in plain
SQL and a thousand requests, in turn.

    cargo build --release
    benches/changes.py [path to sequor] [rows] [changed]

Starts nginx on loopback, and PostgreSQL. For each database: the table and the snapshot of what was sent are made, then three
times in turn a thousand rows are changed and sent, the tables are joined by `sequor query`, and a thousand rows are sent without
looking. Prints the best of each, the ratio, and the most memory that the sync took. Needs nginx, initdb and psql.
"""

import contextlib
import os
import pathlib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fan_out
from million_rows import Postgres

ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
CHANGED = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000
ROUNDS = 3

LOCATION = """
    location / { return 200 '{}'; }
"""

SERIES = {
    "staging": f"select value as id from generate_series(1, {ROWS})",
    "postgres": f"select g as id from generate_series(1, {ROWS}) g",
    "duckdb": f"select range as id from range({ROWS})",
    "sqlite": f"with recursive g(id) as (select 1 union all select id + 1 from g where id < {ROWS}) select id from g",
}


def flows(database):
    series = SERIES[database]
    def request(method):
        return f"""  request:
    source: api
    method: "{method}"
    url: "/customers/{{{{ var('c')['id'] }}}}"
    body: {{email: "{{{{ var('c')['email'] }}}}", name: "{{{{ var('c')['name'] }}}}"}}
"""

    changed = request("{{ 'DELETE' if var('change') == 'removed' else 'PUT' }}")
    return {
        "fill": f"""
- op: transform
  source: wh
  target_table: customers
  query: "select id, 'customer' || id || '@example.com' as email, 'name ' || id as name, 1 as note from ({series}) q"
- op: transform
  source: wh
  target_table: few
  query: select * from customers where id <= {CHANGED}
""",
        "change": f"""
- op: execute
  source: wh
  statement: update customers set name = name || 'x' where id % {ROWS // CHANGED} = 0
""",
        "push": f"""
- op: http_request
  id: push
  for_each: {{source: wh, table: customers, as: c, changes: {{key: [id], baseline: true}}}}
{changed}""",
        "plain": f"""
- op: http_request
  id: push
  for_each: {{source: wh, table: few, as: c}}
{request("PUT")}""",
    }


JOIN = (
    "select count(*) from customers c join push__push_synced s on c.id = s.id "
    "where (c.email is distinct from s.email) or (c.name is distinct from s.name)"
)


def measure(sequor, folder, port, database, source):
    project = folder / database
    files = {
        "project.yaml": "name: bench\n",
        "sources/wh.yaml": source,
        "sources/api.yaml": f"type: http\nbase_url: http://127.0.0.1:{port}\nconcurrency: 64\n",
        **{f"flows/{name}.yaml": text for name, text in flows(database).items()},
    }
    fan_out.write_project(project, files)

    def call(*args):
        """Seconds, and the most memory in MB."""
        begun = time.perf_counter()
        command = [sequor, "--home-dir", folder / "home" / database, *args]
        process = subprocess.Popen(command, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        said = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            sys.exit(f"{database}: {args}: {said}")
        return time.perf_counter() - begun, usage.ru_maxrss / 1024

    call("--quiet", "run", "fill")
    first, _ = call("--quiet", "run", "push")
    best = {"sync": float("inf"), "join": float("inf"), "requests": float("inf")}
    most = 0
    for _ in range(ROUNDS):
        call("--quiet", "run", "change")
        seconds, memory = call("--quiet", "run", "push")
        most = max(most, memory)
        took = {"sync": seconds, "join": call("query", "wh", JOIN)[0], "requests": call("--quiet", "run", "plain")[0]}
        best = {name: min(seconds, took[name]) for name, seconds in best.items()}
    ratio = best["sync"] / (best["join"] + best["requests"])
    print(
        f"{database:<9} sync {best['sync']:6.2f} s   join {best['join']:6.2f} s + requests {best['requests']:6.2f} s   "
        f"{ratio:5.2f} x   {most:5.0f} MB   (the first run, of a baseline: {first:.2f} s)",
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
        sources = {
            "postgres": f"type: postgres\nconn_str: {server.url}\n",
            "sqlite": "type: sqlite\nconn_str: sqlite:///wh.db\n",
            "staging": "type: staging\n",
        }
        if driver := os.environ.get("SEQUOR_TEST_DUCKDB"):
            sources["duckdb"] = f"type: duckdb\nconn_str: duckdb:///wh.duckdb\ndriver: {driver}\n"
        for database, source in sources.items():
            measure(sequor, folder, port, database, source)


if __name__ == "__main__":
    main()
