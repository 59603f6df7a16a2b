"""The LlamaIndex example, run as its reader would: a process of its own, here without a network."""

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "llama_index_rag.py"
QUESTION = "If there are 10 birds on a tree and one is shot dead, how many birds are on the ground?"
OFFLINE = "import pytest_socket; pytest_socket.disable_socket(allow_unix_socket=True)"
LOCAL = "import pytest_socket; pytest_socket.socket_allow_hosts(['127.0.0.1'])"
RUN = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"


def run_example(network: str, *arguments: str, **environment: str) -> str:
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("OPENAI_")}
    done = subprocess.run(
        [sys.executable, "-c", f"{network}; {RUN}", str(EXAMPLE), *arguments],
        env=quiet | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def complement_in(printed: str) -> str:
    match = re.search(r"^Complement: (.+) \(\d+ ms\)$", printed, re.MULTILINE)
    assert match
    assert not match[1].startswith("none:"), match[1]
    return match[1]


def test_offline_the_llm_reads_the_complement_and_retrieval_does_not():
    printed = run_example(OFFLINE)
    assert f"Retrieval was asked: {QUESTION}\nThe LLM was asked:" in printed
    assert f"Query: {QUESTION}\n\n{complement_in(printed)}\nAnswer:" in printed
    assert "Answer: text text text text\n" in printed


def test_a_question_of_ones_own_to_which_nothing_is_added():
    printed = run_example(OFFLINE, "Thank", "you!")
    assert "Complement: none: " in printed
    assert "Query: Thank you!\nAnswer:" in printed


def test_an_endpoint_is_asked_the_augmented_question(openai_server):
    openai_server.reply = "One, if it falls."
    printed = run_example(
        LOCAL,
        OPENAI_BASE_URL=openai_server.url,
        OPENAI_API_KEY="unused",
        OPENAI_MODEL="scripted",
        NO_PROXY="127.0.0.1",
    )
    (request,) = openai_server.requests
    (message,) = request["messages"]
    assert request["model"] == "scripted"
    assert f"Query: {QUESTION}\n\n{complement_in(printed)}\n" in message["content"]
    assert "Answer: One, if it falls.\n" in printed
