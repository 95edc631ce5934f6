"""Runs flows with the Python Sequor 1.2.0, each in a process forked from one that has imported it."""

import json
import os
import signal
import socket
import sys
import time
import traceback


class Peer:
    """Stands for a process that has imported the Python Sequor and forks for each run."""

    def __init__(self):
        self.ours, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            self.ours.close()
            try:
                serve(theirs)
            finally:
                os._exit(0)
        theirs.close()
        self.file = self.ours.makefile("rw")

    def run(self, folder, arguments, environment, timeout):
        """Runs `sequor ARGUMENTS` in a folder; gives {ok, exit, printed, log, timeout}."""
        request = {"folder": folder, "arguments": arguments, "environment": environment, "timeout": timeout}
        self.file.write(json.dumps(request) + "\n")
        self.file.flush()
        return json.loads(self.file.readline())

    def close(self):
        """Ends the process. Others, forked later, hold copies of its socket: closing it would not be enough."""
        self.ours.shutdown(socket.SHUT_RDWR)
        self.file.close()
        self.ours.close()
        os.waitpid(self.pid, 0)


def load():
    """Imports the Python Sequor and all it imports late, and switches its telemetry off."""
    import duckdb_engine  # noqa: F401
    import posthog
    import psycopg2  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg2  # noqa: F401
    import sequor.cli  # noqa: F401
    import sequor.operations.migrate_schema  # noqa: F401
    from sequor.common import telemetry

    posthog.capture = lambda *_, **__: None
    posthog.disabled = True
    telemetry.TelemetryLogger._send = lambda *_: None


def serve(connection):
    """Answers requests, one at a time, each with a process of its own."""
    load()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with connection.makefile("rw") as file:
        for line in file:
            file.write(json.dumps(fork(json.loads(line))) + "\n")
            file.flush()


def fork(request):
    """Runs one flow in a new process and waits for it."""
    result = os.path.join(request["folder"], "..", "peer-result.json")
    if os.path.exists(result):
        os.remove(result)
    pid = os.fork()
    if pid == 0:
        try:
            child(request, result)
        except BaseException:
            with open(result, "w") as file:
                json.dump({"ok": False, "exit": 70, "printed": [], "log": traceback.format_exc()}, file)
        finally:
            os._exit(0)
    deadline = time.monotonic() + request["timeout"]
    pause = 0.002
    while os.waitpid(pid, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return {"ok": False, "exit": None, "printed": [], "log": "", "timeout": True}
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)
    with open(result) as file:
        return {"timeout": False, **json.load(file)}


def child(request, result):
    """Runs one flow in this process. What it logs tells what it printed and whether it failed: it exits 0 also then."""
    import logging

    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    time.tzset()
    log, printed, failed = [], [], []

    class Handler(logging.Handler):
        def emit(self, record):
            text = record.getMessage()
            log.append(f"{record.levelname} [{record.name}]: {text}")
            if record.name == "sequor.ops.print" and text.startswith("Message: "):
                printed.append(text[len("Message: ") :])
            if record.name in ("sequor.job", "sequor.cli") and record.levelno >= logging.ERROR:
                failed.append(text)

    logging.basicConfig(level=logging.INFO, handlers=[Handler()])
    quiet = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(quiet, number)
    keep_inside()

    from sequor import cli

    sys.argv = ["sequor", *request["arguments"]]
    exit_code = 0
    try:
        cli.main()
    except SystemExit as end:
        exit_code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        exit_code = 1
        log.append(traceback.format_exc())
    ok = exit_code == 0 and not failed
    with open(result, "w") as file:
        json.dump({"ok": ok, "exit": exit_code, "printed": printed, "log": "\n".join(log)}, file)


def keep_inside():
    """Refuses connections beyond loopback."""
    connect = socket.socket.connect

    def inside(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "localhost", "::1"):
            raise OSError(f"not a loopback address: {address[0]}")
        return connect(self, address)

    socket.socket.connect = inside
