"""Where prompts come from: the two public corpora, logs, and files of anyone's own."""

from .conversation import Conversation, Turn
from .files import Broken, rows_of_file, rows_of_hub
from .layouts import LAYOUTS, Layout, layout_of

__all__ = ["LAYOUTS", "Broken", "Conversation", "Layout", "Turn", "layout_of", "rows_of_file", "rows_of_hub"]
