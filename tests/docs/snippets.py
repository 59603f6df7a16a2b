"""Print the Python blocks of a Markdown file as one program: python tests/docs/snippets.py FILE."""

import re
import sys
from pathlib import Path

_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(path: Path) -> list[str]:
    return _BLOCK.findall(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    print("\n".join(blocks(Path(sys.argv[1]))))
