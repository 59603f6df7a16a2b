"""Reports: one self-contained HTML page each."""

from .page import Page, Sample

__all__ = ["Page", "Sample"]
