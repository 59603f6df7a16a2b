"""The command `pas`, one file a subcommand; other packages add theirs through the entry points `pas.commands`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from ..errors import PASError
from .app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line; an error of ours is one line on stderr and exit code 2."""
    if sys.stdout is not None:
        # A terminal of another encoding shows an escape where it has no character, and no traceback.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        app()
    except BrokenPipeError:  # the reader of our output went away: `pas … | head`
        sys.stderr.close()
        raise SystemExit(141) from None
    except (PASError, OSError) as error:
        print(f"pas: {error}", file=sys.stderr)  # noqa: T201 - the command line's own output
        _drop_output()
        raise SystemExit(2) from None


def _drop_output() -> None:
    # What could not be written would be tried again at exit, and fail again with another exit code.
    with suppress(OSError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
