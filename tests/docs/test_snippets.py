"""Every Python block of the README and the docs runs as it stands."""

from pathlib import Path

import pytest
from snippets import blocks

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(code, id=f"{page.name}-{number}") for page in PAGES for number, code in enumerate(blocks(page), 1)
]


@pytest.mark.parametrize("code", BLOCKS)
def test_block_runs(code, monkeypatch, tmp_path, request):
    if "models/my-pas" in code:  # what the reader has exported before
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "my-pas").symlink_to(request.getfixturevalue("toy_generator"))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "block", "exec"), {"__name__": "__main__"})


def test_quick_start_and_readme_have_blocks():
    assert blocks(ROOT / "README.md")
    assert len(blocks(ROOT / "docs" / "index.md")) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page):
    import re

    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target
