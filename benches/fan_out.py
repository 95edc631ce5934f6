#!/usr/bin/env python3
"""One request per row: how many per second, beside what `wrk` reaches on the same server.

    cargo build --release
    benches/fan_out.py [path to sequor]

Starts nginx on loopback, which answers every PATCH with `{}`; fills a staging table with 19,858 customers; sends one
PATCH for each, three times: url and body by Python as in the example flow, by Python that runs natively, and by Jinja.
The time is that of the whole program, start included. Needs nginx and wrk.
"""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
ROWS = 19_858


def write_project(folder, files):
    """Writes the files of a project."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


NGINX = """
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    {location}
  }}
}}
"""

FILL = f"""
- op: execute
  source: stage
  statement: |
    create or replace table customers as
    select 'customer' || value || '@example.com' as email, cast(value * 1.25 as numeric(10,2)) as total_spent,
      value % 17 as order_count
    from generate_series(1, {ROWS})
"""

PUSH = """
- op: http_request
  id: push
  for_each: {{source: stage, table: customers, as: customer}}
  request:
    source: api
{url}
    method: PATCH
    body_format: json
{body}
"""

FLOWS = {
    "python": (
        """    url_expression: |
      import hashlib
      email = var('customer')['email']
      return "/lists/1/members/" + hashlib.md5(email.lower().encode()).hexdigest()""",
        """    body_expression: |
      customer = var('customer')
      return {"merge_fields": {"TOTALSPENT": float(customer['total_spent']), "ORDERCOUNT": int(customer['order_count'])}}""",
    ),
    "native": (
        """    url_expression: f"/lists/1/members/{var('customer')['email']}" """.rstrip(),
        """    body_expression: |
      customer = var('customer')
      return {"merge_fields": {"TOTALSPENT": float(customer['total_spent']), "ORDERCOUNT": customer['order_count']}}""",
    ),
    "jinja": (
        """    url: "/lists/1/members/{{ var('customer')['email'] }}" """.rstrip(),
        """    body: {merge_fields: {TOTALSPENT: "{{ var('customer')['total_spent'] }}", ORDERCOUNT: "{{ var('customer')['order_count'] }}"}}""",
    ),
}

BODY = '{"merge_fields":{"TOTALSPENT":1234.5,"ORDERCOUNT":7}}'


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


ANSWER = """location / { default_type application/json; return 200 '{}'; }"""


@contextlib.contextmanager
def nginx(folder, location=ANSWER):
    """nginx on loopback, its files in `folder`: gives the port."""
    port = free_port()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, location=location))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    server = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        time.sleep(0.3)
        yield port
    finally:
        server.terminate()
        server.wait()


def wrk(folder, port):
    script = folder / "patch.lua"
    script.write_text(
        f"wrk.method = 'PATCH'\nwrk.body = '{BODY}'\nwrk.headers['Content-Type'] = 'application/json'\n"
    )
    command = ["wrk", "-t1", "-c64", "-d3s", "-s", str(script), f"http://127.0.0.1:{port}/lists/1/members/x"]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return next(float(line.split()[1]) for line in out.splitlines() if line.startswith("Requests/sec"))


def main():
    sequor = str(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else TARGET / "release" / "sequor").resolve())
    with tempfile.TemporaryDirectory() as folder, nginx(pathlib.Path(folder)) as port:
        folder = pathlib.Path(folder)
        (folder / "flows").mkdir()
        (folder / "sources").mkdir()
        (folder / "project.yaml").write_text("name: bench\n")
        (folder / "sources" / "stage.yaml").write_text("type: staging\n")
        (folder / "sources" / "api.yaml").write_text(
            f"type: http\nbase_url: http://127.0.0.1:{port}\nconcurrency: 64\n"
        )
        (folder / "flows" / "fill.yaml").write_text(FILL)
        for name, (url, body) in FLOWS.items():
            (folder / "flows" / f"{name}.yaml").write_text(PUSH.format(url=url, body=body))
        run = [sequor, "--home-dir", str(folder / "home"), "--quiet", "run"]
        subprocess.run([*run, "fill"], cwd=folder, check=True)
        reached = wrk(folder, port)
        print(f"{'wrk -t1 -c64':14}{reached:12,.0f} requests/s")
        for name in FLOWS:
            best = None
            for _ in range(3):
                start = time.perf_counter()
                subprocess.run([*run, name], cwd=folder, check=True)
                took = time.perf_counter() - start
                best = min(best or took, took)
            print(f"{name:14}{ROWS / best:12,.0f} requests/s   {best:.2f} s   {ROWS / best / reached:.2f} x wrk")


if __name__ == "__main__":
    main()
