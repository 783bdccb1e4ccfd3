"""`python -m motet.cli`: the command line without an installed script."""

import sys

from motet.cli import main

if __name__ == "__main__":
    sys.exit(main())
