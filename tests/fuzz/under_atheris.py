"""Run one fuzz target under Atheris: python tests/fuzz/under_atheris.py guard -max_total_time=600

Options after the name are libFuzzer's; a folder among them keeps what was found worth keeping. Needs `atheris`.
"""

import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent.parent))  # for the toy models of the tests
with atheris.instrument_imports(include=["pas_middleware"]):
    from fuzz_targets import TARGETS

from fuzz_seeds import SEEDS, WORDS


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


def main() -> None:
    name, *options = sys.argv[1:]
    folder = Path(tempfile.mkdtemp(prefix=f"pas-fuzz-{name}-"))
    for number, seed in enumerate(SEEDS[name]):
        (folder / str(number)).write_bytes(seed)
    words = folder.with_suffix(".dict")
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS))
    atheris.Setup([sys.argv[0], f"-dict={words}", *options, str(folder)], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
