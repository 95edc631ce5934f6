"""The program ``sequor``."""

import signal
import sys

from ._engine import main as _main


def main() -> int:
    # The engine hears signals by itself; Python's own handler would wait for a moment that does not come.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _main(["sequor", *sys.argv[1:]])
