"""The Python side of expressions: compiling them, and the objects they see."""

import ast
import datetime
import json
import sys
import traceback


class JsonFloat(float):
    """A float that remembers how the JSON wrote it."""

    __slots__ = ("text",)

    def __new__(cls, text):
        self = float.__new__(cls, text)
        self.text = text
        return self


def now():
    """The moment, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc)


def today():
    """The day, in UTC."""
    return now().date()


def as_time(value):
    """A date or time as it is; a text in ISO 8601 as what it says."""
    if isinstance(value, (datetime.date, datetime.time)):
        return value
    if value is None:
        raise ValueError("null is no date or time")
    text = str(value).strip()
    try:
        return datetime.datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in "Zz" else text)
    except ValueError:
        raise ValueError(
            f"`{text}` is no date or time in ISO 8601: `strptime(text, format)` reads others"
        ) from None


def strftime(value, format):
    """A date or time, or a text in ISO 8601, written by a pattern."""
    return as_time(value).strftime(format)


class TimeStamp(datetime.datetime):
    """A timestamp that YAML has with a `T`, and that is printed with one."""

    def __str__(self):
        return self.isoformat()

    def __format__(self, spec):
        return self.strftime(spec) if spec else str(self)

    def plain(self):
        return datetime.datetime.combine(self.date(), self.timetz())

    def __add__(self, other):
        return self.plain() + other

    __radd__ = __add__

    def __sub__(self, other):
        return self.plain() - (other.plain() if isinstance(other, TimeStamp) else other)


def stamp(moment):
    """The moment as YAML has it."""
    return TimeStamp.combine(moment.date(), moment.timetz())


def compact_json(value):
    """JSON without white space. Floats of a response are written as they came."""
    kind = type(value)
    if kind is JsonFloat:
        return value.text
    if kind is dict:
        entries = (json.dumps(str(k), ensure_ascii=False) + ":" + compact_json(v) for k, v in value.items())
        return "{" + ",".join(entries) + "}"
    if kind is list or kind is tuple:
        return "[" + ",".join(map(compact_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str, allow_nan=False)


class _CallableText(str):
    def __call__(self):
        return str(self)


class _CallableInt(int):
    def __call__(self):
        return int(self)


class Headers(dict):
    """Headers by name, in any case; callable, as 1.2 had them."""

    def __init__(self, pairs):
        super().__init__()
        for name, value in pairs:
            key = self._usual(name)
            if dict.__contains__(self, key):
                value = dict.__getitem__(self, key) + ", " + value
            dict.__setitem__(self, key, value)

    @staticmethod
    def _usual(name):
        """The spelling that servers use: the transport gives names in lower case."""
        usual = "-".join(part[:1].upper() + part[1:] for part in name.lower().split("-"))
        return {"Etag": "ETag", "Www-Authenticate": "WWW-Authenticate", "Content-Md5": "Content-MD5"}.get(usual, usual)

    def __getitem__(self, name):
        try:
            return dict.__getitem__(self, self._usual(name))
        except KeyError:
            raise KeyError(name) from None

    def __contains__(self, name):
        return isinstance(name, str) and dict.__contains__(self, self._usual(name))

    def get(self, name, default=None):
        return dict.get(self, self._usual(name), default)

    def __call__(self):
        return self


class Response:
    """A response to an HTTP request."""

    def __init__(self, status, headers, url, content, encoding):
        self.status_code = _CallableInt(status)
        self.headers = Headers(headers)
        self.url = url
        self.content = content
        self._encoding = encoding
        self._text = None
        self._parsed = False
        self._json = None

    @property
    def text(self):
        if self._text is None:
            try:
                self._text = _CallableText(self.content.decode(self._encoding, "replace"))
            except LookupError:
                self._text = _CallableText(self.content.decode("utf-8", "replace"))
        return self._text

    def _decoded(self):
        try:
            return self.content.decode(self._encoding)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"byte {error.start} is 0x{self.content[error.start]:02X}, which is no good {self._encoding}: "
                "say by `encoding` of the response how it is written"
            ) from None

    @property
    def ok(self):
        return self.status_code < 400

    def json(self):
        if not self._parsed:
            if self.status_code in (204, 205) and not self.content:
                return None
            try:
                try:
                    self._json = json.loads(self.content, parse_float=JsonFloat)
                except UnicodeDecodeError:
                    # Not Unicode: as the content type's charset says.
                    self._json = json.loads(self._decoded(), parse_float=JsonFloat)
            except ValueError as error:
                start = " ".join(self.text[:160].split()) or "(empty)"
                raise ValueError(
                    f"the response is not valid JSON: {error}; it starts with: {start}"
                ) from None
            self._parsed = True
        return self._json

    @property
    def response(self):
        """The response itself: early 1.x flows reach for the one inside."""
        return self

    def __repr__(self):
        return f"<Response [{int(self.status_code)}]>"


class _Sources:
    def __init__(self, functions):
        self.query = functions.query
        self.query_scalar = functions.query_scalar
        self.table = functions.table


class Context:
    """What `evaluate(context)` gets."""

    def __init__(self, bridge, functions):
        self._bridge = bridge
        self.var = bridge.var
        self.is_var_defined = bridge.is_var_defined
        self.table = functions.table
        # The name that early 1.x flows use.
        self.load = functions.table
        self.query = functions.query
        self.query_scalar = functions.query_scalar
        self.sources = _Sources(functions)


class _Functions:
    """The functions of the language, with the names of parameters that 1.2 had besides ours."""

    def __init__(self, bridge):
        self._bridge = bridge

    def table(
        self,
        source=None,
        table=None,
        database=None,
        namespace=None,
        *,
        source_name=None,
        table_name=None,
        database_name=None,
        spacename_name=None,
    ):
        return self._bridge.table(
            source if source_name is None else source_name,
            table if table_name is None else table_name,
            database if database_name is None else database_name,
            namespace if spacename_name is None else spacename_name,
        )

    def query(self, source=None, sql=None, *, source_name=None, query=None):
        return self._bridge.query(source if source_name is None else source_name, sql if query is None else query)

    def query_scalar(self, source=None, sql=None, *, source_name=None, query=None):
        return self._bridge.query_scalar(
            source if source_name is None else source_name, sql if query is None else query
        )


def names(bridge):
    """The names that an expression can use."""
    functions = _Functions(bridge)
    return {
        "__builtins__": __builtins__,
        "__name__": "sequor_expression",
        "var": bridge.var,
        "is_var_defined": bridge.is_var_defined,
        "env_var": bridge.env_var,
        "secret": bridge.secret,
        "table": functions.table,
        "query": functions.query,
        "query_scalar": functions.query_scalar,
        "now": now,
        "today": today,
        "strftime": strftime,
        "strptime": datetime.datetime.strptime,
        "timedelta": datetime.timedelta,
        "context": Context(bridge, functions),
    }


def compile_expression(text, filename, line, names):
    """Compiles an expression, or statements with `return`, or the 1.x form with `def evaluate`.

    Gives its globals and a function without parameters. `line` is the file's line of the text's first line.
    """
    lead = len(text) - len(text.lstrip("\n"))
    source = text.strip() if "\n" not in text.strip() else text[lead:]
    # Lines of the file, in tracebacks too.
    first = line + lead
    try:
        tree = ast.parse(source, filename)
    except SyntaxError as error:
        error.lineno = (error.lineno or 1) + first - 1
        raise
    ast.increment_lineno(tree, first - 1)
    scope = dict(names)
    body = tree.body
    if any(isinstance(s, ast.FunctionDef) and s.name == "evaluate" for s in body):
        exec(compile(tree, filename, "exec"), scope)
        evaluate = scope["evaluate"]
        if evaluate.__code__.co_argcount >= 2:
            return scope, lambda: evaluate(scope["context"], scope.get("response"))
        return scope, lambda: evaluate(scope["context"])
    if len(body) == 1 and isinstance(body[0], ast.Expr):
        body = [ast.copy_location(ast.Return(body[0].value), body[0])]
    wrapper = ast.parse("def expression(): pass", filename)
    wrapper.body[0].body = body or [ast.Pass()]
    ast.fix_missing_locations(wrapper)
    exec(compile(wrapper, filename, "exec"), scope)
    return scope, scope.pop("expression")


_templates = {}


def _environment(context):
    """Jinja2 with strict undefined names and the filters for the path of a url."""
    import jinja2

    bridge = context._bridge

    def checked(encode):
        return lambda value: bridge.null_in_path() if value is None else encode(str(value))

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=False)
    environment.filters.update(
        path=checked(bridge.path),
        segment=checked(bridge.segment),
        given=checked(str),
        datetime=lambda value, format="%Y-%m-%dT%H:%M:%S%z": strftime(value, format),
        strftime=strftime,
        strptime=datetime.datetime.strptime,
    )
    return environment


def render(text, names):
    """Renders a template as Jinja2 does, with strict undefined names.

    `names` are the functions of the language. Raises ModuleNotFoundError where Jinja2 is not installed.
    """
    template = _templates.get(text)
    if template is None:
        import jinja2

        if len(_templates) >= 1024:
            _templates.clear()
        template = _templates[text] = _environment(names["context"]).from_string(text)
    known = ("var", "is_var_defined", "env_var", "secret", "table", "query", "query_scalar")
    known += ("now", "today", "strftime", "strptime", "timedelta")
    return template.render({name: names[name] for name in known})


def explain_template(error):
    """A template's exception in words: the line of the template, and what happened."""
    line = getattr(error, "lineno", None)
    for frame, at in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == "<template>":
            line = at
    if isinstance(error, ModuleNotFoundError) and error.name == "jinja2":
        return line, "Python's Jinja2 is not installed: pip install jinja2"
    message = str(error)
    return line, message or type(error).__name__


def explain(error, filename):
    """An exception in words: the line of the file it came from, its type and message, and the full traceback."""
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    for frame, at in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename == filename:
            line = at
    if isinstance(error, SyntaxError):
        message = error.msg
    elif isinstance(error, KeyError) and error.args:
        message = error.args[0] if isinstance(error.args[0], str) and " " in error.args[0] else repr(error.args[0])
    else:
        message = str(error)
    kind = type(error).__name__
    full = "".join(traceback.format_exception(error))
    return line, f"{kind}: {message}" if message else kind, full


# What expressions print must be there also when the process ends without closing the interpreter.
if hasattr(sys.stdout, "reconfigure"):
    sys.stdout.reconfigure(line_buffering=True)
