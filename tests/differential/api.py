"""Answers requests on loopback by a case's routes, and remembers what was asked."""

import base64
import gzip
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class Api:
    """Is a server for one outcome: it starts with no requests remembered.

    A route is {method, path, query, auth, times, status, headers, json, text, base64, echo, delay, sql, gzip}: all that is given of
    the first five must fit. `times` is how often it answers; `sql` is run in the case's database before it does.
    """

    def __init__(self, routes, execute):
        self.routes = [dict(route, left=route.get("times", -1)) for route in routes or []]
        self.execute = execute
        self.requests = []
        self.lock = threading.Lock()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except (ConnectionError, TimeoutError):
                    self.close_connection = True

            def __getattr__(self, name):
                # Every method of HTTP is answered.
                if name.startswith("do_"):
                    return lambda: api.answer(self)
                raise AttributeError(name)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.base = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        """Stops answering."""
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler):
        """Remembers a request and answers it."""
        body = self.body(handler)
        with self.lock:
            self.requests.append((handler.command, handler.path, list(handler.headers.items()), body))
            route = self.route(handler)
        if "delay" in route:
            time.sleep(route["delay"])
        if "sql" in route:
            self.execute(route["sql"])
        handler.send_response(route.get("status", 200))
        payload, kind = self.payload(route, handler)
        headers = {"Content-Type": kind, **route.get("headers", {})}
        if route.get("gzip"):
            payload = gzip.compress(payload)
            headers["Content-Encoding"] = "gzip"
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                handler.send_header(name, str(one).replace("$BASE", self.base))
        bodiless = route.get("status", 200) in (204, 304)
        if not bodiless:
            handler.send_header("Content-Length", str(len(payload)))
        handler.end_headers()
        if handler.command != "HEAD" and not bodiless:
            handler.wfile.write(payload)

    def body(self, handler):
        """Reads a request's body, given by length or in chunks."""
        if handler.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(handler.rfile.readline().split(b";")[0], 16):
                body += handler.rfile.read(size)
                handler.rfile.readline()
            handler.rfile.readline()
            return body
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))

    def route(self, handler):
        """Finds the first route that fits."""
        parts = urlsplit(handler.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        for route in self.routes:
            fits = (
                route.get("method", handler.command) == handler.command
                and route.get("path", parts.path) == parts.path
                and all(query.get(name) == str(value) for name, value in route.get("query", {}).items())
                and route.get("auth", handler.headers.get("Authorization")) == handler.headers.get("Authorization")
                and route["left"] != 0
            )
            if fits:
                route["left"] -= 1
                return route
        return {"status": 404, "json": {"error": "no such path"}} if self.routes else {"json": {}}

    def payload(self, route, handler):
        """Makes an answer's bytes and their content type."""
        if "json" in route:
            text = json.dumps(route["json"], ensure_ascii=False)
            return text.replace("$BASE", self.base).encode(), "application/json"
        if "text" in route:
            return route["text"].replace("$BASE", self.base).encode(), "application/json"
        if "base64" in route:
            return base64.b64decode(route["base64"]), "application/octet-stream"
        if route.get("echo"):
            query = dict(parse_qsl(urlsplit(handler.path).query, keep_blank_values=True))
            return json.dumps({"path": urlsplit(handler.path).path, "query": query}).encode(), "application/json"
        return b"", "application/json"
