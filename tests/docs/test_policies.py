"""The page on policies names every reason and every setting."""

from dataclasses import fields
from pathlib import Path

import pytest

from pas_middleware import REASONS, Settings

PAGE = (Path(__file__).parents[2] / "docs" / "policies.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("reason", [reason for reason in REASONS if reason])
def test_reason_is_explained(reason):
    assert f"| `{reason}` |" in PAGE


@pytest.mark.parametrize("field", [field.name for field in fields(Settings)])
def test_setting_is_explained(field):
    assert f"| `{field}` |" in PAGE
