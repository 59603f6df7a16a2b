"""What tests of the synthesis share: a plan against a scripted server, and rows in files."""

import json

from pas_trainer.llm import Endpoint
from pas_trainer.synthesize import Synthesis
from pas_trainer.synthesize.run import Means

QUIET = Means(quiet=True)


def endpoint(url, **settings):
    return Endpoint(**{"model": "scripted", "base_url": url, "timeout_s": 0.3, "concurrency": 4, **settings})


def plan(url, critic=None, **settings):
    return Synthesis(endpoint(url, temperature=0.7), critic or endpoint(url), **settings)


def read(file):
    return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]


def write_rows(file, rows):
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file
