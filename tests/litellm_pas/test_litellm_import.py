import os
import subprocess
import sys

import litellm_pas


def python(code):
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment)


def test_public_names():
    assert litellm_pas.__all__ == ["PASDeploymentHook", "PASHook", "pas_hook"]


def test_without_litellm_the_error_names_the_extra():
    run = python("import sys; sys.modules['litellm'] = None; import litellm_pas")
    assert run.returncode == 1
    assert 'RuntimeMissing: litellm is not installed; run `pip install "pas-middleware[litellm]"`.' in run.stderr


def test_the_hook_is_made_once_and_when_it_is_asked_for():
    run = python(
        "import sys, litellm_pas; print('onnxruntime' in sys.modules)\n"
        "print(litellm_pas.pas_hook is litellm_pas.pas_hook, 'onnxruntime' in sys.modules)"
    )
    assert run.stdout.split() == ["False", "True", "True"], run.stdout + run.stderr
