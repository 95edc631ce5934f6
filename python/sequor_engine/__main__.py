"""``python -m sequor_engine`` is the program ``sequor``."""

import sys

from ._cli import main

sys.exit(main())
