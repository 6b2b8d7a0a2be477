"""``python -m chaos``."""

import sys

from .run import main

sys.exit(main())
