#!/usr/bin/env python3
"""Writes corpus.json: YAML texts, and what ruamel.yaml (1.2) and PyYAML (1.1) make of each.

    python3 -m pip install ruamel.yaml==0.19.1 pyyaml==6.0.3
    planner/tests/yaml/make.py

It is run by hand when texts are added; the test reads what it wrote. Values that JSON does not have are written as the tree writes
them: {"\\u0001type": kind, "value": text}; a key that is no text is "\\u0002" and its JSON.
"""

import base64
import datetime
import json
import math
import pathlib

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.comments import TaggedScalar
from ruamel.yaml.timestamp import TimeStamp

TYPED, KEYED = "\u0001type", "\u0002"

SCALARS = """
~ | null | Null | NULL | nUll | true | True | TRUE | tRue | false | False | FALSE | yes | Yes | YES | no | No | NO | on | On | off
OFF | y | n | Y | N | 0 | 1 | -1 | +1 | 12 | 012 | 08 | 0o17 | 0O17 | 0x1F | 0X1F | 0xfg | 0b11 | 0b12 | 1_000 | 1__0 | _1 | 1_ | 12:30
12:30:45 | 1:2 | 99:99 | -1:30 | 190:20:30 | 12e3 | 1e3 | 1E3 | 1e+3 | 1.5 | 1.5e3 | 1.5e+3 | 1.5E-3 | -1.5 | +1.5 | .5 | -.5 | 5. | 1.
1_0.5 | 1.5_0 | .inf | -.inf | +.inf | .Inf | .INF | .iNf | .nan | .NaN | .NAN | inf | nan | 1e400 | 9223372036854775807 | 9223372036854775808
-9223372036854775808 | 18446744073709551615 | 18446744073709551616 | 12345678901234567890123 | 0.1 | 1e-7 | 1.7976931348623157e+308
2024-01-31 | 2024-1-31 | 24-01-31 | 2024-01-02 03:04:05 | 2024-01-02T03:04:05 | 2024-01-02t03:04:05 | 2024-01-02T03:04:05Z
2024-01-02T03:04:05.5 | 2024-01-02T03:04:05.123456789 | 2024-01-02T03:04:05+02:00 | 2024-01-02 03:04:05 +2 | 2024-01-02 03:04:05 -05:30
2024-1-2 3:04:05 | 2024-01-02T03:04 | 03:04:05 | 1.2.3 | 1,000 | a | hello world | a: | a:b | http://x.y/z?a=b#c | a #b | a#b | -a | -- | - | ? | ?a | :a | &a b
{} | [] | [ ] | { } | "" | '' | "a" | 'a' | 'it''s' | "a\\tb" | "\\x41" | "\\u00e9" | "\\U0001F600" | "a\\nb" | "\\/" | "\\e" | "\\0" | "\\_" | "\\N" | "\\L" | "\\P" | "\\q"
'a\\nb' | "null" | 'true' | "012" | é | 日本 | <<  | = | ! a | !!str 5 | !!str | !!str true | !!int "5" | !!int 5 | !!int 0x10 | !!int a | !!float 5 | !!float "1.5" | !!float 1e3
!!bool "true" | !!bool yes | !!bool "yes" | !!null "" | !!null x | !!binary aGk= | !!binary "aGk=" | !!timestamp 2024-01-02 | !!timestamp "2024-01-02T03:04:05" | !!str 2024-01-02
"""

TEXTS = [
    "", "# only a comment\n", "---\n", "---\na: 1\n", "a: 1\n...\n", "a: 1\n---\nb: 2\n", "%YAML 1.2\n---\na: 1\n",
    "a: 1\nb: 2\n", "a:\n  b: 1\n  c: 2\n", "a:\n- 1\n- 2\n", "a:\n  - 1\n  - 2\n", "- a\n- - b\n  - c\n", "- a: 1\n  b: 2\n- c\n",
    "a: |\n  x\n  y\n", "a: |-\n  x\n  y\n", "a: |+\n  x\n\n\n", "a: >\n  x\n  y\n\n  z\n", "a: >-\n  x\n  y\n", "a: |2\n    x\n   y\n", "a: |\n\n  x\n", "a: |\n  x\n\n\nb: 1\n",
    "a: |\n  x # no comment\nb: 1\n", "a: >\n  x\n    y\n  z\n", "a: |\n", "a: |\nb: 1\n", "a: x\n  y\n  z\n", "a: 'x\n  y'\n", 'a: "x\n  y"\n', 'a: "x\\\n  y"\n', "a: x\n\n  y\n",
    "a: {b: 1, c: 2}\n", "a: {b: 1,\n  c: 2}\n", "a: {\n  b: 1,\n  c: 2\n}\n", "a: {\n  b: 1\n  }\n", "x:\n  a: {\n    b: 1\n  }\n", "x:\n  a: {\n    b: 1\n}\n", "x:\n  a: [\n  1,\n  2\n]\n", "x:\n  a: [1,\n2]\n",
    "a: [1, 2,]\n", "a: [1, , 2]\n", "a: {b, c: 1}\n", "a: {b: , c: 1}\n", "a: {'b':1}\n", 'a: {"b":1}\n', "a: {b:1}\n", "a: [a: 1, b]\n", "a: [[1], [2, [3]]]\n", "a: {b: {c: [1, {d: 2}]}}\n", "a: [1 # c\n  , 2]\n",
    "a: {x: 'it''s', y: \"q\\\"q\"}\n", "a: [{{ x }}]\n", "a: {{ x }}\n", "a: \"{{ x }}\"\n", "a: '{{ x }}: y'\n", "a: x {{ y }}\n", "a: {b: \"{{ x }}\"}\n",
    "a: &x 1\nb: *x\n", "a: &x {b: 1}\nc: *x\n", "a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n", "a: &x {b: 1}\nc:\n  b: 3\n  <<: *x\n", "a: &x {b: 1}\nb: &y {b: 2, c: 3}\nd:\n  <<: [*x, *y]\n", "a: {<<: {b: 1}, c: 2}\n",
    "a: {<<: [{b: 1}, {b: 2}], c: 3}\n", "a: &x [1, 2]\nb: *x\n", "a: *nope\n", "a: &x 1\na2: &x 2\nb: *x\n", "base: &base\n  x: 1\n  y: {z: 2}\nuse:\n  <<: *base\n  y: 5\n", "a: {<<: 5}\n", "a:\n  <<: &m {b: 1}\n",
    "1: a\n2: b\n", "true: a\n", "null: a\n", "1.5: a\n", "2024-01-02: a\n", "~: a\n", "'1': a\n", '"a b": 1\n', "a b: 1\n", "? a\n: 1\n", "? [a, b]\n: 1\n", "a: 1\na: 2\n", "a: {b: 1, b: 2}\n", "1: a\n1: b\n", "1: a\n'1': b\n", "yes: a\n", "on: push\n",
    "\ta: 1\n", "a:\n\tb: 1\n", "a: 1\t# c\n", "a:\t1\n", "a: [1,\t2]\n", "a: 1\n b: 2\n", "a: 1\n  b: 2\n", "a:\n  b: 1\n c: 2\n", "- a\nb: 1\n", "a: b: c\n", "a: 'x\n", 'a: "x\n', "a: [1\n", "a: {b: 1\n", "a: ]\n", "a: @x\n", "a: `x`\n", "a: %x\n", "a: x: y\n", "a:\n- b\n c\n",
    "a: !!set {x, y}\n", "a: !!omap [x: 1, y: 2]\n", "a: !!map {b: 1}\n", "a: !!seq [1]\n", "a: !mine 5\n", "a: !mine {b: 1}\n", "a: !!python/name:os.system x\n", "a: !!unknown x\n",
    "a: \"\\x00\"\n", "a: x\r\nb: y\r\n", "a: |\r\n  x\r\n  y\r\n", "\ufeffa: 1\n", "a: 1 #\n", "a: 1#2\n", "a:   \n", "a:\n\n\nb: 1\n", "'a': 1\n", "a : 1\n", "a  :  1\n", "{a: 1, b: 2}\n", "[1, 2]\n", "5\n", "text\n", "'quoted'\n", "- \n- ~\n- ''\n",
    "a: - b\n", "a: -b\n", "a: -1\n", "a: - 1\n", "a: 1 2\n", "a: x, y\n", "a: (x)\n", "a: x: \n", "a: *\n", "a: &\n", "a: !\n", "a: >x\n", "a: |x\n", "a: x|y\n", "a: #c\n  b: 1\n", "a: # c\n  - 1\n",
    "steps:\n  - op: execute\n    source: db\n    statement: |\n      select 1\n      go\n  - op: print\n    message: \"a: b\"\n",
    "a: {url: http://x/y, q: a?b, e: x=y}\n", "a: [x y, z]\n", "a: {x: y z, w: 'a, b'}\n", "a: {\n  # c\n  b: 1, # d\n  c: 2\n  # e\n}\n", "a: >-\n  {{ x }}\n  {{ y }}\n", "a: |\n  - not: a list\n", "a:\n  ? b\n  ? c\n",
    "a: 0.1e1\nb: 010\nc: 0o10\nd: 1e5\ne: 1_0\n", "a: 'x'y\n", "a: [a, b]: c\n", "a: {}\nb: []\n", "a: [\n]\n", "a: {\n}\n", "a: \"a\\\n   b\"\n", "a: 'a\n\n  b'\n", "a: é\nb: \"\\u00e9\"\n", "a: 1\n# end", "a: 1", "a:", "-", "- a\n-\n- b\n",
]


def texts():
    """Gives every text once."""
    found = []
    for line in SCALARS.strip().splitlines():
        found += [f"a: {scalar.strip()}\n" for scalar in line.split(" | ")]
    return list(dict.fromkeys(found + TEXTS))


def typed(kind, value):
    return {TYPED: kind, "value": value}


def moment(value, spelled):
    text = value.strftime("%Y-%m-%dT%H:%M:%S.%f")
    offset = value.utcoffset()
    if offset is not None:
        minutes = int(offset.total_seconds() // 60)
        sign = "-" if minutes < 0 else "+"
        text += f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    return typed("stamp" if spelled else "timestamp", text)


def plain(value):
    """The value as the tree writes it."""
    if isinstance(value, TaggedScalar):
        value = value.value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        value = int(value)
        return value if -(2**63) <= value < 2**64 else typed("integer", str(value))
    if isinstance(value, float):
        value = float(value)
        return value if math.isfinite(value) else typed("float", str(value))
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return typed("bytes", base64.b64encode(value).decode())
    if isinstance(value, TimeStamp):
        return moment(value, value._yaml["t"])
    if isinstance(value, datetime.datetime):
        return moment(value, False)
    if isinstance(value, datetime.date):
        return typed("date", value.isoformat())
    if hasattr(value, "odict"):  # a set of ruamel's
        value = dict.fromkeys(value)
    if isinstance(value, set):
        value = dict.fromkeys(sorted(value))
    if isinstance(value, dict):
        return {key(name): plain(value[name]) for name in value}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    raise ValueError(f"a {type(value).__name__}")


def key(name):
    name = plain(name)
    return name if isinstance(name, str) else KEYED + json.dumps(name, ensure_ascii=False, separators=(",", ":"))


def read(load, text):
    """What a reader makes of a text: {"value": ...}, or {} where it refuses."""
    try:
        return {"value": plain(load(text))}
    except Exception:
        return {}


def main():
    corpus = []
    for text in texts():
        # Of a key twice, PyYAML takes the last.
        entry = {"text": text, "1.2": read(lambda t: YAML().load(t), text), "1.1": read(yaml.safe_load, text)}
        corpus.append(json.dumps(entry, ensure_ascii=True))
    path = pathlib.Path(__file__).with_name("corpus.json")
    path.write_text("[\n" + ",\n".join(corpus) + "\n]\n")
    print(len(corpus), "texts")


main()
