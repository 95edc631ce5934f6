#!/usr/bin/env python3
"""What it costs that a run can be gone on with: requests per row and pages with `checkpoint` and without, in turn.

    cargo build --release
    benches/checkpoint.py [path to sequor] [rows] [pages]

Starts nginx on loopback. Sends one PATCH for each of 200,000 rows, and fetches 1,000 pages of 100 rows into staging, each with
`checkpoint: true` and `false`, ten times in turn; prints the medians and their ratio. The size of the ledger is that of a run
whose last row fails. Needs nginx.
"""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import fan_out

ROWS = int(sys.argv[2]) if len(sys.argv) > 2 else 200_000
PAGES = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000
PAIRS = 10

LOCATION = """
    location /pages/ { root %s; default_type application/json; }
    location = /last { return 422; }
    location / { return 200 '{}'; }
"""

FILL = f"""
- op: execute
  source: stage
  statement: |
    create or replace table customers as
    select value as id, 'customer' || value || '@example.com' as email from generate_series(1, {ROWS})
"""


def push(checkpoint, url="/customers/{{ var('c')['id'] }}"):
    return f"""
- op: http_request
  id: push
  checkpoint: {checkpoint}
  for_each: {{source: stage, table: customers, as: c}}
  request: {{source: api, url: "{url}", method: PATCH, body: {{email: "{{{{ var('c')['email'] }}}}"}}}}
"""


def fetch(checkpoint):
    return f"""
- op: http_request
  id: fetch
  checkpoint: {checkpoint}
  request:
    source: api
    url: /pages/1.json
    pagination: {{type: json_link, next_path: next}}
  response:
    tables: [{{source: stage, table: pages, data_path: rows, columns: {{id: bigint, name: text, amount: double precision}}}}]
"""


def write_pages(folder):
    pages = folder / "pages"
    pages.mkdir()
    for page in range(1, PAGES + 1):
        rows = [{"id": page * 100 + n, "name": f"name {n} of page {page}", "amount": n * 1.5} for n in range(100)]
        following = f"/pages/{page + 1}.json" if page < PAGES else None
        (pages / f"{page}.json").write_text(json.dumps({"rows": rows, "next": following}))


def main():
    sequor = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else fan_out.TARGET / "release" / "sequor").resolve()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        write_pages(folder)
        port = stack.enter_context(fan_out.nginx(folder, LOCATION % folder))
        project = folder / "project"
        for name, text in {
            "project.yaml": "name: bench\n",
            "sources/stage.yaml": "type: staging\n",
            "sources/api.yaml": f"type: http\nbase_url: http://127.0.0.1:{port}\nconcurrency: 64\n",
            "flows/fill.yaml": FILL,
            "flows/push_true.yaml": push("true"),
            "flows/push_false.yaml": push("false"),
            "flows/fetch_true.yaml": fetch("true"),
            "flows/fetch_false.yaml": fetch("false"),
            "flows/last.yaml": push("true", "{{ '/last' if var('c')['id'] == %d else '/customers' }}" % ROWS),
        }.items():
            path = project / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

        def run(flow, good=True):
            begun = time.perf_counter()
            command = [sequor, "--home-dir", folder / "home", "--quiet", "run", flow]
            done = subprocess.run(command, cwd=project, capture_output=True, check=False)
            if good and done.returncode != 0:
                sys.exit(done.stderr.decode())
            return time.perf_counter() - begun

        run("fill")
        for what, count in [("push", ROWS), ("fetch", PAGES)]:
            run(f"{what}_true")
            run(f"{what}_false")
            with_it, without, ratios = [], [], []
            for at in range(PAIRS):
                order = ["true", "false"] if at % 2 else ["false", "true"]
                took = {checkpoint: run(f"{what}_{checkpoint}") for checkpoint in order}
                with_it.append(took["true"])
                without.append(took["false"])
                ratios.append(took["true"] / took["false"])
            print(
                f"{what} {count:,}: {statistics.median(with_it):.2f} s with checkpoint, {statistics.median(without):.2f} s without, "
                f"ratio {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})",
                flush=True,
            )
        run("last", good=False)
        kept = (folder / "home/project_state/bench/runs").rglob("*")
        sizes = {}
        for path in kept:
            if path.is_file():
                sizes[path.name] = sizes.get(path.name, 0) + path.stat().st_size
        for name, size in sizes.items():
            print(f"{name}: {size:,} bytes, {size / ROWS:.1f} a row")


if __name__ == "__main__":
    main()
