"""``python -m rlhf``."""

import sys

from rlhf.config import use_one_thread

use_one_thread()  # before anything imports numpy

from rlhf.cli.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
