#!/usr/bin/env python3
"""Loads a million rows from a paged API into PostgreSQL, DuckDB and staging: time, rows per second and peak memory.

    benches/million_rows.py [SEQUOR]

SEQUOR is the binary, by default the release build in CARGO_TARGET_DIR or ~/.cache/sequor-target. The API is a server on
loopback in a process of its own. PostgreSQL is a server of the bench's own (initdb on PATH or in /usr/lib/postgresql),
or the one that SEQUOR_TEST_POSTGRES names (postgresql://user:password@host:port/database). Needs nothing but Python.

DuckDB is left out where `SEQUOR_TEST_DUCKDB` names no library (`. tests/setup.sh drivers` sets it).

Exits 1 when rows are missing, or when memory goes to 400 MB.
"""

import argparse
import glob
import http.server
import multiprocessing
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse

ROWS_A_PAGE = 1000
LIMIT_MB = 400
DUCKDB = os.environ.get("SEQUOR_TEST_DUCKDB")


def page(number):
    """The page's body: a thousand orders, each with its own values."""
    first = (number - 1) * ROWS_A_PAGE
    orders = ",".join(
        f'{{"id":{i},"customer_id":{i % 9973},"email":"customer{i % 9973}@example.com",'
        f'"created_at":"2024-{i % 12 + 1:02}-{i % 28 + 1:02}T{i % 24:02}:{i % 60:02}:07",'
        f'"total_price":"{i % 1000}.{i % 100:02}","total_items":{i % 17}}}'
        for i in range(first + 1, first + ROWS_A_PAGE + 1)
    )
    return f'{{"orders":[{orders}]}}'.encode()


def serve(port_pipe, pages):
    """The API. Pages are made before the first request, so that the bench does not measure Python."""
    bodies = [page(number) for number in range(1, pages + 1)]

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self):
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            number = int(query["page"][0])
            body = bodies[number - 1] if 1 <= number <= pages else b'{"orders":[]}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port_pipe.send(server.server_port)
    server.serve_forever()


class Postgres:
    """A server in a folder of its own, or the one that SEQUOR_TEST_POSTGRES names."""

    def __init__(self, folder):
        self.folder = folder / "postgres"
        self.bin = None
        self.url = os.environ.get("SEQUOR_TEST_POSTGRES")
        if self.url:
            return
        initdb = shutil.which("initdb") or max(glob.glob("/usr/lib/postgresql/*/bin/initdb"), default=None)
        if initdb is None:
            sys.exit("no initdb on PATH or in /usr/lib/postgresql: install PostgreSQL, or set SEQUOR_TEST_POSTGRES")
        self.bin = pathlib.Path(initdb).parent
        self.folder.mkdir()
        # PostgreSQL refuses to run as root.
        self.as_user = []
        if os.geteuid() == 0:
            self.as_user = ["runuser", "-u", "postgres", "--"]
            folder.chmod(0o755)
            shutil.chown(self.folder, "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.run("initdb", "-D", self.folder / "data", "-U", "bench", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-p {port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self.run("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-o", options, "start")
        self.url = f"postgresql://bench@127.0.0.1:{port}/postgres"

    def run(self, tool, *args):
        command = [*self.as_user, self.bin / tool, *args]
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL)

    @property
    def psql(self):
        return self.bin / "psql" if self.bin and (self.bin / "psql").exists() else "psql"

    def scalar(self, sql):
        out = subprocess.run([self.psql, "-XAt", "-c", sql, self.url], capture_output=True, text=True)
        return (out.stdout or out.stderr).strip()

    def stop(self):
        if self.bin and (self.folder / "data" / "postmaster.pid").exists():
            self.run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")


FLOW = """
- op: http_request
  id: fetch_orders
  init:
    variables: {{page: 1}}
  request:
    source: api
    url: /orders
    parameters:
      page_expression: var('page')
  response:
    tables:
      - source: {target}
        table: bench_orders
        columns:
          id: bigint
          customer_id: bigint
          email: text
          created_at: timestamp
          total_price: numeric(10,2)
          total_items: integer
        data_expression: response.json()['orders']
    variables:
      page_expression: var('page') + 1
    while_expression: var('page') <= {pages}
"""

COUNT = """
SELECT count(*) || ' ' || sum(id) || ' ' || sum(total_price) || ' ' || sum(total_items) || ' ' || count(distinct email)
    || ' ' || count(distinct created_at) AS counted
FROM bench_orders
"""


def expected(rows):
    """What COUNT gives when every row is there with its values."""
    ids = range(1, rows + 1)
    cents = sum(i % 1000 * 100 + i % 100 for i in ids)
    items = sum(i % 17 for i in ids)
    times = len({(i % 12, i % 28, i % 24, i % 60) for i in ids})
    return f"{rows} {sum(ids)} {cents // 100}.{cents % 100:02} {items} {min(rows, 9973)} {times}"


def project(folder, api, postgres):
    for name in ("flows", "sources", "home"):
        (folder / name).mkdir(parents=True)
    (folder / "project.yaml").write_text("name: million_rows\n")
    (folder / "sources/api.yaml").write_text(f"type: http\nbase_url: {api}\n")
    (folder / "sources/warehouse.yaml").write_text(f"type: postgres\nconn_str: {postgres.url}\n")
    (folder / "sources/stage.yaml").write_text("type: staging\n")
    if DUCKDB:
        (folder / "sources/duck.yaml").write_text(f"type: duckdb\nconn_str: duckdb:///bench.db\ndriver: {DUCKDB}\n")


def sequor(binary, folder, *args, **options):
    command = [binary, *args, "--project-dir", folder, "--home-dir", folder / "home"]
    return subprocess.Popen([str(c) for c in command], cwd=folder, **options)


def measure(binary, folder, postgres, target, pages):
    """One run. Returns whether all rows came and memory stayed below the limit."""
    flow = f"{target}_{pages}"
    (folder / f"flows/{flow}.yaml").write_text(FLOW.format(target=target, pages=pages))
    log = folder / f"{flow}.log"
    start = time.monotonic()
    with log.open("w") as out:
        process = sequor(binary, folder, "run", flow, "--quiet", stdout=out, stderr=out)
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        print(f"{target}: sequor exited {process.returncode}\n{log.read_text()}", file=sys.stderr)
        return False
    rows = pages * ROWS_A_PAGE
    if target == "warehouse":
        counted = postgres.scalar(COUNT)
    else:
        query = sequor(binary, folder, "query", target, COUNT, stdout=subprocess.PIPE, text=True)
        counted = query.communicate()[0]
    complete = expected(rows) in counted
    # ru_maxrss is in KiB on Linux and in bytes on macOS.
    peak = usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)
    name = {"warehouse": "PostgreSQL", "stage": "staging", "duck": "DuckDB"}[target]
    cpu = usage.ru_utime + usage.ru_stime
    print(
        f"{name:<11} {rows:>9,} rows {seconds:>7.2f} s {rows / seconds:>10,.0f} rows/s"
        f"  cpu {cpu:>6.2f} s  peak {peak:>5.0f} MB  {'all rows there' if complete else f'ROWS MISSING: {counted}'}",
        flush=True,
    )
    if peak >= LIMIT_MB:
        print(f"memory went to {peak:.0f} MB, the limit is {LIMIT_MB} MB", file=sys.stderr)
    return complete and peak < LIMIT_MB


def main():
    target = os.environ.get("CARGO_TARGET_DIR") or pathlib.Path.home() / ".cache/sequor-target"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sequor", nargs="?", type=pathlib.Path, default=pathlib.Path(target) / "release/sequor")
    parser.add_argument("--pages", type=int, default=1000, help="pages of a thousand rows")
    args = parser.parse_args()
    binary = args.sequor.resolve()
    if not binary.is_file():
        sys.exit(f"{binary} is not there: cargo build --release")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sequor-bench-"))
    ours, theirs = multiprocessing.Pipe()
    api = multiprocessing.Process(target=serve, args=(theirs, args.pages), daemon=True)
    postgres = None
    try:
        postgres = Postgres(folder)
        api.start()
        project(folder / "project", f"http://127.0.0.1:{ours.recv()}", postgres)
        few = max(1, args.pages // 10)
        targets = ["warehouse", "stage", *(["duck"] if DUCKDB else [])]
        runs = [(t, pages) for t in targets for pages in (few, args.pages)]
        good = [measure(binary, folder / "project", postgres, t, pages) for t, pages in runs]
        return 0 if all(good) else 1
    finally:
        if postgres:
            if not postgres.bin:
                postgres.scalar("DROP TABLE IF EXISTS bench_orders")
            postgres.stop()
        if api.is_alive():
            api.terminate()
            api.join()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
