"""What pas-mini says of prompts, kept by the model that said it."""

import shutil

import pyarrow as pa

from pas_middleware.models.directory import write_manifest
from pas_trainer.curate import quality
from pas_trainer.curate.engine import Local

PROMPTS = pa.table({"prompt": ["Compare renting and buying a flat", "请比较租房和买房"]})


def test_another_model_decides_anew(tmp_path, monkeypatch):
    quality.signals(PROMPTS, tmp_path / "cache", Local())
    quality.signals(PROMPTS, tmp_path / "cache", Local())
    assert len(list((tmp_path / "cache").iterdir())) == 1

    other = shutil.copytree(quality.EMBEDDED, tmp_path / "other")
    info = other / "pas.json"
    info.write_text(info.read_text().replace('"0.1.0"', '"0.2.0"'))
    write_manifest(other)
    monkeypatch.setattr(quality, "EMBEDDED", other)
    quality.signals(PROMPTS, tmp_path / "cache", Local())
    assert len(list((tmp_path / "cache").iterdir())) == 2
