"""The page of the docs that lists the differences that are meant, made from the cases that have them."""

import os

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "coming-from-the-python-sequor.md")
MARK = "<!-- From here on: made from tests/differential/cases by tests/differential/run --page -->\n"

TOPICS = {
    "answers": "Answers",
    "auth": "Authentication",
    "basics": "Basics",
    "commands": "The command line",
    "computed": "Computed names and options",
    "conditions": "Conditions",
    "flows": "Flows and steps",
    "jinja": "Jinja",
    "migrate": "`migrate_schema`",
    "order": "Order and failures",
    "parsers": "Parsers",
    "rare": "Rare things",
    "requests": "Requests",
    "rows": "Rows of tables",
    "sql": "SQL",
    "tables": "Tables",
    "types-duckdb": "Types on DuckDB",
    "types-postgres": "Types on PostgreSQL",
    "variables": "Variables",
    "yaml": "YAML",
}


def listed(cases):
    """Gives the list as text: for each topic the reasons, and an example of each."""
    topics = {}
    for case in cases:
        if case.get("meant"):
            topic, name = case["id"].split("/", 1)
            topics.setdefault(topic, {}).setdefault(case["meant"].strip(), []).append((name, case["about"].strip()))
    lines = []
    for topic in sorted(topics, key=lambda topic: TOPICS.get(topic, topic)):
        lines.append(f"\n## {TOPICS.get(topic, topic)}\n")
        for reason, examples in sorted(topics[topic].items()):
            names = ", ".join(f"`{topic}/{name}`" for name, _ in examples)
            lines.append(f"- {reason} For example: {examples[0][1]} ({names})")
    return "\n".join(lines) + "\n"


def check(cases, write):
    """Writes the page's list anew, or says that it is stale."""
    with open(PAGE) as file:
        text = file.read()
    head = text.split(MARK)[0]
    wanted = head + MARK + listed(cases)
    if write:
        with open(PAGE, "w") as file:
            file.write(wanted)
        return None
    return None if wanted == text else "docs/coming-from-the-python-sequor.md is stale: tests/differential/run --page"
