"""``python -m rlhf``."""

import sys

from rlhf.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
