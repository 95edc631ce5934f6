#!/usr/bin/env python3
"""How long the program itself takes: validating, planning, and running next to nothing.

    cargo build --release
    benches/startup.py [path to sequor]

Prints the median of 15 runs of the whole process, and beside it what starting `python3 -c pass` takes on the same
machine in the same minute.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
RUNS = 15
STEPS = 1000


def median(command, cwd=None):
    times = []
    for _ in range(RUNS + 2):
        start = time.perf_counter()
        subprocess.run(command, cwd=cwd, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    # The first runs warm the page cache.
    return statistics.median(times[2:]) * 1000


def step(number):
    """A step of a mixed flow: fetches, transforms, requests per row, variables, messages."""
    table, before = f"t{number}", f"t{max(number - 1, 0)}"
    return [
        f"""- op: http_request
  id: s{number}
  request:
    source: api
    url: "/orders/{number}"
    parameters: {{since: "{{{{ var('since') }}}}"}}
  response:
    tables:
      - source: stage
        table: {table}
        columns: {{id: bigint, total: "numeric(10,2)", email: text}}
        data_expression: response.json()['orders']
""",
        f"""- op: transform
  id: s{number}
  source: stage
  target_table: {table}
  query: select email, sum(total) as total from {before} where email is not null group by email
""",
        f"""- op: http_request
  id: s{number}
  for_each: {{source: stage, table: {before}, as: row}}
  request:
    source: api
    url_expression: f"/customers/{{var('row')['email']}}"
    method: PUT
    body_expression: |
      row = var('row')
      return {{"total": float(row['total'])}}
""",
        f"""- op: set_variable
  id: s{number}
  set: {{v{number}_expression: var('since') + 'x'}}
""",
        f"""- op: print
  id: s{number}
  message: "step {number} {{{{ var('since') }}}}"
""",
    ][number % 5]


def main():
    sequor = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else TARGET / "release" / "sequor").resolve()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name in ("large", "small"):
            (folder / name / "flows").mkdir(parents=True)
            (folder / name / "sources").mkdir()
            (folder / name / "project.yaml").write_text(f"name: {name}\n")
            (folder / name / "sources" / "stage.yaml").write_text("type: staging\n")
            (folder / name / "sources" / "api.yaml").write_text("type: http\nbase_url: http://127.0.0.1:9\n")
        large, small = folder / "large", folder / "small"
        (large / "flows" / "main.yaml").write_text("".join(step(n) for n in range(STEPS)))
        (small / "flows" / "main.yaml").write_text("- op: print\n  message: hello\n")
        home = ["--home-dir", str(folder / "home")]
        example = ROOT / "examples" / "shopify_mailchimp"
        python = median(["python3", "-c", "pass"])
        rows = [
            ("validate the example", 50, [sequor, "--home-dir", example / "home", "validate"], example),
            ("run a flow of one print", 100, [sequor, *home, "run", "main"], small),
            (f"validate a flow of {STEPS} steps", 100, [sequor, *home, "validate"], large),
            (f"plan a flow of {STEPS} steps", 100, [sequor, *home, "plan", "main", "--var", "since=1"], large),
        ]
        print(f"{'':36}{'ms':>8}{'limit':>8}{'x python3 -c pass':>20}")
        print(f"{'python3 -c pass':36}{python:8.1f}")
        late = False
        for name, limit, command, cwd in rows:
            took = median([str(part) for part in command], cwd)
            late |= took > limit
            print(f"{name:36}{took:8.1f}{limit:8}{took / python:20.1f}")
        sys.exit(1 if late else 0)


if __name__ == "__main__":
    main()
