"""A plan: what a run would do."""

from __future__ import annotations

import json
from typing import Any


class Plan(dict[str, Any]):
    """What a run would do, as ``sequor plan --format json`` has it. Notebooks show its diagram.

    The keys are ``flow``, ``project``, ``sources`` and ``root``, whose ``steps``, ``edges`` and ``stages`` say what each step reads
    and writes, and why it waits.
    """

    def __init__(self, data: dict[str, Any], text: str, svg: str) -> None:
        super().__init__(data)
        self.text = text
        """What ``sequor plan`` prints."""
        self.svg = svg
        """The diagram, as SVG."""

    def to_json(self) -> str:
        """Returns it as JSON."""
        return json.dumps(self)

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.svg
