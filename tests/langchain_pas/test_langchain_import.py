import subprocess
import sys

import langchain_pas


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_public_names():
    assert langchain_pas.__all__ == ["PASMiddleware", "PASRunnable"]


def test_without_langchain_core_the_error_names_the_extra():
    run = python("import sys; sys.modules['langchain_core'] = None; import langchain_pas")
    assert run.returncode == 1
    assert (
        'RuntimeMissing: langchain-core is not installed; run `pip install "pas-middleware[langchain]"`.' in run.stderr
    )


def test_importing_it_and_making_one_loads_no_model_runtime():
    heavy = {"torch", "onnxruntime", "openai", "langgraph", "py3langid", "langchain_openai"}
    run = python(f"import sys, langchain_pas; langchain_pas.PASRunnable(); print({heavy!r} & set(sys.modules))")
    assert run.stdout.strip() == "set()", run.stdout + run.stderr


def test_without_langchain_the_runnable_works_and_the_middleware_names_the_extra():
    run = python(
        "import sys; sys.modules['langchain'] = None\n"
        "from langchain_pas import PASRunnable; print('chain')\n"
        "from langchain_pas import PASMiddleware"
    )
    assert (run.returncode, run.stdout) == (1, "chain\n")
    assert (
        'RuntimeMissing: langchain is not installed; run `pip install "pas-middleware[langchain-agents]"`.'
        in run.stderr
    )
