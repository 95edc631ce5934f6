#!/usr/bin/env python3
"""Loads a million rows of Arrow into each database, beside the database's own tool with the same rows, in one run.

    benches/loads.py [ROWS]

Builds and runs `cargo bench --bench load`, three times for each, the tool after it each time, and prints the best of
both and their ratio; then a GROUP BY on staging, over ten times the rows, beside DuckDB on the same Parquet files.

Needs psql and initdb, the programs of MariaDB and the sqlite3 shell (`. tests/setup.sh postgres mysql drivers fakesnow`
installs the first two and the Python packages); a target whose tool is missing is left out, and said so.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

from million_rows import Postgres

ROUNDS = 3
HERE = pathlib.Path(__file__).resolve().parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", pathlib.Path.home() / ".cache/sequor-target"))
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PACKAGES = [TARGET / f"test-python-{PYTHON}", TARGET / f"test-fakesnow-{PYTHON}"]
DUCKDB = next(iter(sorted(PACKAGES[0].glob("_duckdb*.so"))), None)


def sequor(what, place, rows):
    """Seconds that our load takes."""
    env = {**os.environ, "CARGO_TARGET_DIR": str(TARGET), "SEQUOR_TEST_DUCKDB": str(DUCKDB)}
    command = ["cargo", "bench", "--quiet", "--bench", "load", "--", what, str(place), str(rows)]
    done = subprocess.run(command, cwd=HERE.parent, env=env, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["seconds"] if done.stdout.strip() else None


def timed(command, **options):
    since = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)
    return time.monotonic() - since


def python(code, *arguments):
    """Seconds that a piece of Python prints, with the drivers' packages."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, PACKAGES))}
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], env=env, check=True, capture_output=True, text=True)
    return float(done.stdout)


def beside(name, ours, theirs, tool):
    """Runs both in turn; prints the best of each."""
    best = [float("inf"), float("inf")]
    for _ in range(ROUNDS):
        best = [min(best[0], ours()), min(best[1], theirs())]
    print(f"{name:<11} {best[0]:6.2f} s   {tool:<44} {best[1]:6.2f} s   {best[0] / best[1]:5.2f} x", flush=True)


def postgres(folder, rows):
    server = Postgres(folder)
    try:
        def theirs():
            server.scalar("drop table if exists copied")
            server.scalar("create table copied (like orders)")
            return timed([server.psql, "-X", "-c", f"\\copy copied from '{binary}' with (format binary)", server.url])

        sequor("postgres", server.url, rows)
        binary = folder / "orders.bin"
        subprocess.run(
            [server.psql, "-X", "-c", f"\\copy orders to '{binary}' with (format binary)", server.url],
            check=True, stdout=subprocess.DEVNULL,
        )
        beside("PostgreSQL", lambda: sequor("postgres", server.url, rows), theirs, "psql \\copy ... (format binary)")
    finally:
        server.stop()


def mysql(folder, rows):
    data, sock = folder / "mysql", folder / "mysql.sock"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    subprocess.run(
        ["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", f"--datadir={data}", "--user=root"],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    init = folder / "init.sql"
    init.write_text("CREATE USER bench@'%' IDENTIFIED BY 'bench';\nGRANT ALL ON *.* TO bench@'%';\nCREATE DATABASE bench;\n")
    program = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
    server = subprocess.Popen(
        [program, "--no-defaults", "--user=root", "--bind-address=127.0.0.1", "--skip-name-resolve", "--local-infile=1",
         "--innodb-buffer-pool-size=1G", "--innodb-log-file-size=1G",
         f"--datadir={data}", f"--socket={sock}", f"--port={port}", f"--init-file={init}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        client = ["mariadb", "-h127.0.0.1", f"-P{port}", "-ubench", "-pbench", "--local-infile=1", "bench"]
        for _ in range(100):
            if subprocess.run([*client, "-e", "select 1"], capture_output=True).returncode == 0:
                break
            time.sleep(0.1)
        url = f"mysql://bench:bench@127.0.0.1:{port}/bench"
        load = f"load data local infile '{folder}/orders.csv' into table copied fields terminated by ','"

        def theirs():
            subprocess.run([*client, "-e", "drop table if exists copied; create table copied like orders"], check=True)
            return timed([*client, "-e", load])

        beside("MariaDB", lambda: sequor("mysql", url, rows), theirs, "LOAD DATA LOCAL INFILE")
    finally:
        server.terminate()
        server.wait()


def sqlite(folder, rows):
    def ours():
        (folder / "ours.db").unlink(missing_ok=True)
        return sequor("sqlite", folder / "ours.db", rows)

    def theirs():
        (folder / "theirs.db").unlink(missing_ok=True)
        make = "create table orders(id bigint, customer_id bigint, email text, created_at timestamp, total_price numeric(10,2), total_items integer);"
        subprocess.run(["sqlite3", folder / "theirs.db", make], check=True)
        return timed(["sqlite3", folder / "theirs.db", ".mode csv", f".import {folder}/orders.csv orders"])

    beside("SQLite", ours, theirs, "sqlite3 .import")


def duckdb(folder, rows):
    def ours():
        (folder / "ours.duckdb").unlink(missing_ok=True)
        return sequor("duckdb", folder / "ours.duckdb", rows)

    def theirs():
        (folder / "theirs.duckdb").unlink(missing_ok=True)
        return python(
            "import sys, time, pyarrow as pa, adbc_driver_duckdb.dbapi as d\n"
            "table = pa.ipc.open_file(sys.argv[1]).read_all()\n"
            "db = d.connect(sys.argv[2])\n"
            "since = time.monotonic()\n"
            "with db.cursor() as cursor: cursor.adbc_ingest('orders', table)\n"
            "db.commit()\n"
            "print(time.monotonic() - since)",
            folder / "orders.arrow", folder / "theirs.duckdb",
        )

    beside("DuckDB", ours, theirs, "Python's ADBC ingest")


def staging(folder, rows):
    def ours():
        shutil.rmtree(folder / "staging", ignore_errors=True)
        return sequor("staging", folder / "staging", rows)

    def theirs():
        shutil.rmtree(folder / "parquet", ignore_errors=True)
        return sequor("parquet", folder / "parquet", rows)

    beside("staging", ours, theirs, "DataFusion writing Parquet")


def group(folder, rows):
    grouped("group", "total_price", folder / "group", rows * 10)


def group_text(folder, rows):
    grouped("group-text", "total_price::decimal", folder / "group-text", rows * 10)


def grouped(what, price, folder, rows):
    ours = sequor(what, folder, rows)
    theirs = python(
        "import sys, time, duckdb\n"
        "sql = f\"SELECT email, SUM({sys.argv[2]}) AS total_spent, COUNT(*) AS order_count FROM read_parquet('{sys.argv[1]}/**/*.parquet') \"\\\n"
        "    'WHERE email IS NOT NULL GROUP BY email'\n"
        "best = 1e9\n"
        "for _ in range(5):\n"
        "    since = time.monotonic()\n"
        "    assert len(duckdb.sql(sql).fetchall()) == 9973\n"
        "    best = min(best, time.monotonic() - since)\n"
        "print(best)",
        folder, price,
    )
    print(f"{what:<11} {ours:6.2f} s   {'DuckDB on the same Parquet':<44} {theirs:6.2f} s   {ours / theirs:5.2f} x")


def main():
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    env = {**os.environ, "CARGO_TARGET_DIR": str(TARGET)}
    subprocess.run(["cargo", "bench", "--quiet", "--bench", "load", "--no-run"], cwd=HERE.parent, env=env, check=True)
    with tempfile.TemporaryDirectory(prefix="sequor-loads-") as folder:
        folder = pathlib.Path(folder)
        sequor("files", folder, rows)
        print(f"{rows:,} rows of 6 columns; the best of {ROUNDS} of each")
        needs = [
            (staging, True, ""), (postgres, shutil.which("psql"), "psql"), (duckdb, DUCKDB, "DuckDB's package"),
            (sqlite, shutil.which("sqlite3"), "sqlite3"), (mysql, shutil.which("mariadb-install-db"), "MariaDB"),
            (group, DUCKDB, "DuckDB's package"), (group_text, DUCKDB, "DuckDB's package"),
        ]
        for bench, there, need in needs:
            if there:
                bench(folder, rows)
            else:
                print(f"{bench.__name__}: left out, no {need}")


if __name__ == "__main__":
    main()
