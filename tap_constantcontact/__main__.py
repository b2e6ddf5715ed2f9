"""The command: `tap-constantcontact`, or `python -m tap_constantcontact`."""

from __future__ import annotations

import logging
import os
import sys

from tap_constantcontact.tap import TapConstantContact

_LEVELS = ("TAP_CONSTANTCONTACT_LOGLEVEL", "LOGLEVEL")


def main() -> None:
    """Run the command; what would be a traceback before it has begun is one line."""
    for name in _LEVELS:
        level = os.environ.get(name)
        if level and level.upper() not in logging.getLevelNamesMapping():
            sys.exit(f"{name} is no log level: {level!r}. Use DEBUG, INFO, WARNING or ERROR.")
    TapConstantContact.cli()


if __name__ == "__main__":
    main()
