"""Run the command line as `python -m pas_middleware`."""

from .cli import main

main()
