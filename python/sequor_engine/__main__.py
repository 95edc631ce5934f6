"""``python -m sequor_engine`` is the program ``sequor``."""

import sys

from ._cli import main

if __name__ == "__main__":
    sys.exit(main())
