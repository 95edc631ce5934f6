"""The program ``sequor``."""

import sys

from ._engine import main as _main


def main() -> int:
    return _main(["sequor", *sys.argv[1:]])
