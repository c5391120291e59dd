"""`python -m journeyman`: the command line, where the `journeyman` script is not on the path."""

import sys

from journeyman.cli import main

if __name__ == "__main__":
    sys.exit(main())
