"""Makes the databases of the cases, and reads what runs left in them."""

import glob
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time

import duckdb
import psycopg2


class Postgres:
    """Is a server for one run of the suite, without safety against crashes."""

    def __init__(self):
        folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True) + os.environ["PATH"].split(":")
        # A root cannot run PostgreSQL: there, another user does.
        user = None
        if os.getuid() == 0:
            user = next(u for u in ("postgres", "nobody") if u in {p.pw_name for p in pwd.getpwall()})
        self.folder = tempfile.mkdtemp(prefix="sequor-differential-")
        os.chmod(self.folder, 0o777)
        data = os.path.join(self.folder, "data")

        def program(name):
            found = next((p for f in folders if os.path.exists(p := os.path.join(f, name))), None)
            if not found:
                raise SystemExit(f"the suite needs PostgreSQL's `{name}`: apt-get install postgresql")
            return found

        how = {"user": user, "extra_groups": [], "env": {**os.environ, "HOME": self.folder}} if user else {}
        if user:
            how["group"] = pwd.getpwnam(user).pw_gid
        subprocess.run(
            [program("initdb"), "-U", "sequor", "-A", "trust", "-N", "-E", "UTF8", "--locale=C", "-D", data],
            check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **how,
        )  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
            "max_connections": "200",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.log = open(os.path.join(self.folder, "log"), "w")
        self.process = subprocess.Popen(
            [program("postgres"), "-D", data, "-p", str(self.port), *options],
            stdout=self.log, stderr=self.log, cwd=self.folder, **how,
        )  # fmt: skip
        for _ in range(600):
            try:
                self.connect("postgres").close()
                return
            except psycopg2.OperationalError:
                time.sleep(0.1)
        raise SystemExit("PostgreSQL does not answer")

    def connect(self, name):
        """Opens a connection that commits each statement."""
        connection = psycopg2.connect(host="127.0.0.1", port=self.port, user="sequor", dbname=name)
        connection.autocommit = True
        return connection

    def stop(self):
        """Stops the server and removes its data."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class PostgresDatabase:
    """Is one database of the server."""

    kind = "postgres"

    def __init__(self, server, name):
        self.server, self.name = server, name
        with server.connect("postgres").cursor() as cursor:
            cursor.execute(f'create database "{name}"')
        self.conn = f"postgresql://127.0.0.1:{server.port}/{name}"

    def source(self):
        """Gives the source file of this database."""
        return f"type: postgres\nconn_str: {self.conn}\nusername: sequor\npassword: sequor\n"

    def execute(self, sql):
        """Runs statements."""
        connection = self.server.connect(self.name)
        with connection.cursor() as cursor:
            cursor.execute(sql)
        connection.close()

    def tables(self, ordered):
        """Reads all tables as lines: a declaration, then the rows as text."""
        connection = self.server.connect(self.name)
        cursor = connection.cursor()
        cursor.execute("set timezone to 'UTC'; set datestyle to 'ISO'; set extra_float_digits to 1")
        cursor.execute(
            "select n.nspname, c.relname, c.oid, c.relkind from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind in ('r', 'v', 'm', 'p') and n.nspname not in ('information_schema', 'pg_catalog')"
            " and n.nspname !~ '^pg_(toast|temp)' order by 1, 2"
        )
        lines = []
        for namespace, table, oid, relkind in cursor.fetchall():
            cursor.execute(
                "select attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute"
                f" where attrelid = {oid} and attnum > 0 and not attisdropped order by attnum"
            )
            columns = cursor.fetchall()
            name = table if namespace == "public" else f"{namespace}.{table}"
            kind = {"v": "view ", "m": "materialized view "}.get(relkind, "")
            lines.append(kind + declaration(name, columns))
            rows = []
            if columns:
                values = ", ".join('"{}"::text'.format(c[0].replace('"', '""')) for c in columns)
                cursor.execute('select {} from "{}"."{}"'.format(values.replace("%", "%%"), namespace, table))
                rows = cursor.fetchall()
            lines += written(name, rows, ordered)
        connection.close()
        return lines

    def drop(self):
        """Removes the database, whoever uses it."""
        with self.server.connect("postgres").cursor() as cursor:
            cursor.execute(f'drop database "{self.name}" with (force)')


class DuckDatabase:
    """Is a file of DuckDB."""

    kind = "duckdb"

    def __init__(self, folder):
        self.path = os.path.join(folder, "db.duckdb")
        self.conn = f"duckdb:///{self.path}"
        duckdb.connect(self.path).close()

    def source(self):
        """Gives the source file of this database."""
        return f"type: duckdb\nconn_str: {self.conn}\n"

    def execute(self, sql):
        """Runs statements."""
        with duckdb.connect(self.path) as connection:
            connection.execute(sql)

    def tables(self, ordered):
        """Reads all tables as lines: a declaration, then the rows as text."""
        lines = []
        with duckdb.connect(self.path) as connection:
            connection.execute("set timezone = 'UTC'")
            found = connection.execute(
                "select table_schema, table_name, table_type from information_schema.tables order by 1, 2"
            ).fetchall()
            for namespace, table, kind in found:
                columns = connection.execute(
                    "select column_name, data_type, not is_nullable from duckdb_columns()"
                    " where schema_name = ? and table_name = ? order by column_index",
                    [namespace, table],
                ).fetchall()
                name = table if namespace == "main" else f"{namespace}.{table}"
                lines.append(("view " if kind == "VIEW" else "") + declaration(name, columns))
                values = ", ".join('"{}"::varchar'.format(c[0].replace('"', '""')) for c in columns)
                rows = connection.execute(f'select {values} from "{namespace}"."{table}"').fetchall()
                lines += written(name, rows, ordered)
        return lines

    def drop(self):
        """Leaves the file to the case's folder."""


class NoDatabase:
    """Stands where a case needs no database."""

    kind = "none"
    conn = ""

    def execute(self, sql):
        """Refuses."""
        raise RuntimeError("the case has no database")

    def tables(self, ordered):
        """Has none."""
        return []

    def drop(self):
        """Has nothing to remove."""


def declaration(name, columns):
    """Writes a table as SQL would declare it."""
    return f"{name}({', '.join(c + ' ' + t + (' not null' if required else '') for c, t, required in columns)})"


def written(name, rows, ordered):
    """Writes rows as lines, sorted unless their order counts."""
    lines = [f"{name}: {json.dumps(list(row), ensure_ascii=False)}" for row in rows]
    return lines if ordered else sorted(lines)
