"""Reports: one self-contained HTML page each."""

from .charts import bars
from .page import Page, Sample

__all__ = ["Page", "Sample", "bars"]
