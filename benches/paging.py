#!/usr/bin/env python3
"""Pages of an API into PostgreSQL, beside curl and psql; a rate limit, seen from the server; memory of ten times the rows.

    cargo build --release
    benches/paging.py [path to sequor]

- nginx gives 100 pages of 1,000 orders. A flow with `while` paging loads them into PostgreSQL; beside it, curl reads the
  same pages and `psql \\copy` loads the same rows.
- A server answers after 100 ms; the source allows 200 requests a second: how many come, on average and in the busiest
  second.
- The peak memory of 20,000 and of 200,000 requests, and of 100,000 and 1,000,000 rows.

Needs nginx, curl and PostgreSQL. Exits 1 when rows are missing, or when the rate limit was passed.
"""

import asyncio
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from fan_out import TARGET, nginx
from million_rows import Postgres

PAGES, ROWS = 100, 1000

FLOW = """
- op: http_request
  id: fetch
  init: {{variables: {{page: 1}}}}
  request:
    source: files
    url: "/{{{{ var('page') }}}}.json"
  response:
    tables:
      - source: {target}
        table: orders
        columns: {{id: bigint, customer_id: bigint, email: text, created_at: timestamp, total_price: "numeric(10,2)", total_items: integer}}
        data_expression: response.json()['orders']
    variables:
      page_expression: var('page') + 1
    while_expression: var('page') <= {pages}
"""

PUSH = """
- op: http_request
  for_each: {{source: stage, table: {table}, as: row}}
  request: {{source: {api}, url: "/x", method: PUT, body: {{id: "{{{{ var('row').value }}}}"}}}}
"""


def orders(page):
    """The page's rows."""
    for i in range((page - 1) * ROWS + 1, page * ROWS + 1):
        created = f"2024-{i % 12 + 1:02}-{i % 28 + 1:02}T{i % 24:02}:{i % 60:02}:07"
        yield i, i % 9973, f"customer{i % 9973}@example.com", created, f"{i % 1000}.{i % 100:02}", i % 17


def files(folder, pages):
    """The pages as JSON, and the rows of the first hundred as CSV."""
    names = ("id", "customer_id", "email", "created_at", "total_price", "total_items")
    with (folder / "orders.csv").open("w") as csv:
        for page in range(1, pages + 1):
            rows = list(orders(page))
            body = json.dumps({"orders": [dict(zip(names, row)) for row in rows]}, separators=(",", ":"))
            (folder / "pages" / f"{page}.json").write_text(body)
            if page <= PAGES:
                csv.writelines(",".join(map(str, row)) + "\n" for row in rows)


class Slow:
    """A server that answers after 100 ms and keeps when requests came."""

    def __init__(self):
        self.came = []
        self.ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True).start()
        self.ready.wait()

    async def serve(self):
        server = await asyncio.start_server(self.talk, "127.0.0.1", 0, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self.ready.set()
        await server.serve_forever()

    async def talk(self, reader, writer):
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.came.append(time.perf_counter())
                length = next((int(l[15:]) for l in head.lower().split(b"\r\n") if l.startswith(b"content-length:")), 0)
                await reader.readexactly(length)
                await asyncio.sleep(0.1)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


def timed(command, **options):
    """Seconds, and the peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command], **options)
    _, status, usage = os.wait4(process.pid, 0)
    took = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command} exited {process.returncode}")
    return took, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)


def paging(run, folder, port, postgres):
    """Times of the flow, of curl and of psql. Whether all rows are there."""
    quiet = {"stdout": subprocess.DEVNULL, "cwd": folder}
    psql = [postgres.psql, "-Xq", postgres.url]
    create = "create table copied (id bigint, customer_id bigint, email text, created_at timestamp, total_price numeric(10,2), total_items integer)"
    best = {}
    for _ in range(5):
        took = {}
        took["sequor"] = timed([*run, "warehouse"], **quiet)[0]
        took["curl"] = timed(["curl", "-s", f"http://127.0.0.1:{port}/[1-{PAGES}].json"], **quiet)[0]
        postgres.scalar("drop table if exists copied")
        copy = ["-c", create, "-c", "\\copy copied from 'orders.csv' csv"]
        took["psql"] = timed([*psql, *copy], **quiet)[0]
        best = {name: min(t, best.get(name, t)) for name, t in took.items()}
    same = "select (select count(*) || ' ' || sum(total_price) from {0}) = (select count(*) || ' ' || sum(total_price) from {1})"
    good = postgres.scalar(same.format("orders", "copied")) == "t"
    together = best["curl"] + best["psql"]
    print(
        f"{PAGES * ROWS:,} rows in {PAGES} pages: {best['sequor']:.2f} s; curl {best['curl']:.2f} s + psql \\copy"
        f" {best['psql']:.2f} s; {best['sequor'] / together:.2f} x   {'all rows there' if good else 'ROWS MISSING'}",
        flush=True,
    )
    return good


def rate(run, folder, slow):
    """Requests per second that a limit of 200 gives. Whether it was never passed."""
    timed([*run, "limited"], cwd=folder)
    came = sorted(slow.came)
    mean = (len(came) - 1) / (came[-1] - came[0])
    busiest = max(sum(1 for t in came[at : at + 400] if t < came[at] + 1.0) for at in range(len(came)))
    print(f"rate limit 200/s, {len(came)} requests: {mean:.1f}/s ({mean / 2:.1f}%), {busiest} in the busiest second", flush=True)
    # Between 200 slots of 5 ms there is a second; one more may reach the server a moment early.
    return mean <= 200.5 and busiest <= 202


def memory(run, folder):
    """Peaks for a tenth of the rows, and for all."""
    for name, few, many in (("requests", "push_few", "push_many"), ("rows", "few", "many")):
        peaks = [timed([*run, flow], cwd=folder)[1] for flow in (few, many)]
        print(f"peak memory, 10 x the {name}: {peaks[0]:.0f} MB, then {peaks[1]:.0f} MB ({peaks[1] / peaks[0]:.2f} x)", flush=True)


def main():
    sequor = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else TARGET / "release" / "sequor").resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name in ("flows", "sources", "pages"):
            (folder / name).mkdir()
        files(folder, 10 * PAGES)
        postgres, slow = Postgres(folder), Slow()
        folder.chmod(0o755)
        answer = "location /x { default_type application/json; return 200 '{}'; }"
        try:
            with nginx(folder, f"root {folder}/pages; {answer}") as port:
                sources = {
                    "files": f"type: http\nbase_url: http://127.0.0.1:{port}\n",
                    "fast": f"type: http\nbase_url: http://127.0.0.1:{port}\nconcurrency: 64\n",
                    "slow": f"type: http\nbase_url: http://127.0.0.1:{slow.port}\nconcurrency: 64\nrate_limit: {{requests: 200}}\n",
                    "warehouse": f"type: postgres\nconn_str: {postgres.url}\n",
                    "stage": "type: staging\n",
                }
                fill = "".join(
                    f"- op: execute\n  source: stage\n  statement: create table {name} as select * from generate_series(1, {rows})\n"
                    for name, rows in (("r2", 2000), ("r20", 20_000), ("r200", 200_000))
                )
                flows = {
                    "fill": fill,
                    "warehouse": FLOW.format(target="warehouse", pages=PAGES),
                    "few": FLOW.format(target="warehouse", pages=PAGES),
                    "many": FLOW.format(target="warehouse", pages=10 * PAGES),
                    "limited": PUSH.format(table="r2", api="slow"),
                    "push_few": PUSH.format(table="r20", api="fast"),
                    "push_many": PUSH.format(table="r200", api="fast"),
                }
                (folder / "project.yaml").write_text("name: bench\n")
                for name, text in sources.items():
                    (folder / "sources" / f"{name}.yaml").write_text(text)
                for name, text in flows.items():
                    (folder / "flows" / f"{name}.yaml").write_text(text)
                run = [sequor, "--home-dir", folder / "home", "--quiet", "run"]
                timed([*run, "fill"], cwd=folder)
                good = paging(run, folder, port, postgres)
                memory(run, folder)
                return 0 if rate(run, folder, slow) and good else 1
        finally:
            postgres.stop()


if __name__ == "__main__":
    sys.exit(main())
