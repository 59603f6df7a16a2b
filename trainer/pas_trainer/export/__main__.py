"""Run the export as a module: `python -m pas_trainer.export CHECKPOINT OUT`."""

from .command import app

if __name__ == "__main__":
    app()
