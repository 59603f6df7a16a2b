"""What loads in seconds, as torch does, loads where it is used and nowhere before."""

import subprocess
import sys

import pytest

_LOADED = "import sys; print(sorted({'torch', 'transformers', 'sentence_transformers', 'sklearn'} & set(sys.modules)))"


@pytest.mark.parametrize(
    "code",
    [
        "import pas_trainer.mini.scoring",
        "import pas_trainer.mini.__main__",
        "from pas_trainer.curate.command import app; app(['--help'], standalone_mode=False)",
        "from pas_trainer.curate.command import app; app(['--demo', '--dry-run'], standalone_mode=False)",
    ],
)
def test_the_command_starts_without_torch(code):
    run = subprocess.run([sys.executable, "-c", f"{code}\n{_LOADED}"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines()[-1] == "[]"
