"""`python -m monitoring`."""

import gc
import sys

if __name__ == "__main__":
    # imports make many objects and drop few: the collector would take a tenth of the start
    gc.set_threshold(50_000)
    from monitoring.cli import main

    sys.exit(main())
