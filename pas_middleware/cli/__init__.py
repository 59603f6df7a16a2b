"""The command `pas`, one file a subcommand; other packages add theirs through the entry points `pas.commands`."""

from __future__ import annotations

import sys

from ..errors import PASError
from .app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; an error of ours is one line on stderr and exit code 2."""
    try:
        app()
    except PASError as error:
        print(f"pas: {error}", file=sys.stderr)  # noqa: T201 - the command line's own output
        raise SystemExit(2) from None
    except BrokenPipeError:  # the reader of our output went away: `pas … | head`
        sys.stderr.close()
        raise SystemExit(141) from None
