"""What callers should not give: refused by name where it is a mistake, passed on where it is a user's text."""

import os
import subprocess
import sys

import pytest

from pas_middleware import PAS, ConfigError, InputError, ModelNotFound, RuntimeMissing, ScriptedModel, Settings
from pas_middleware.models import session

QUESTION = "How many birds are left on the tree after the shot?"


@pytest.fixture
def pas():
    with PAS(ScriptedModel()) as engine:
        yield engine


@pytest.mark.parametrize("prompt", [None, 7, b"bytes", ["a"], {"text": "a"}, object()], ids=lambda p: type(p).__name__)
async def test_a_prompt_that_is_no_text_is_refused_by_its_type(pas, prompt):
    for call in (lambda: pas.augment(prompt), lambda: list(pas.stream(prompt)), lambda: pas.augment_batch([prompt])):
        with pytest.raises(InputError, match=f"A prompt is {type(prompt).__name__}; give a str"):
            call()
    with pytest.raises(InputError):
        await pas.aaugment(prompt)


@pytest.mark.parametrize("prompts", ["one text", None, 7, {"a": "b"}, iter(["a"])], ids=lambda p: type(p).__name__)
def test_a_batch_that_is_no_list_is_refused(pas, prompts):
    with pytest.raises(InputError, match=f"prompts is {type(prompts).__name__}; give a list of texts"):
        pas.augment_batch(prompts)


async def test_an_empty_batch_is_an_empty_answer(pas):
    assert pas.augment_batch([]) == []
    assert await pas.aaugment_batch([]) == []


@pytest.mark.parametrize("chat", [None, "text", 7, [7], ["text"], [{"content": "no role"}]], ids=repr)
def test_messages_of_another_shape_are_refused(pas, chat):
    with pytest.raises(InputError):
        pas.augment_messages(chat)


def test_no_messages_are_refused_and_none_of_a_user_pass(pas):
    with pytest.raises(InputError, match="messages is empty"):
        pas.augment_messages([])
    chat = [{"role": "system", "content": QUESTION}]
    result = pas.augment_messages(chat)
    assert result.messages is chat
    assert result.augmentation.reason == "blank"


ODD = [
    "\ud800 how?",
    "how \udfff\ud83d many birds",
    "\x00\x00how many birds\x00",
    "how\u202e many\u2066 birds",
    "\ufeffhow",
]


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_odd_characters_of_a_user_pass_through_untouched(pas, text):
    assert pas.augment(text).text.startswith(text)


@pytest.mark.parametrize("text", ODD, ids=ascii)
def test_odd_characters_pass_the_embedded_model(text):
    with PAS.load() as embedded:
        assert embedded.augment(f"Explain how tides work {text}").text.startswith(f"Explain how tides work {text}")


@pytest.mark.parametrize("character", ["a", "é", "潮", "\U0001f426"], ids=["1 byte", "2 bytes", "3 bytes", "4 bytes"])
@pytest.mark.parametrize(
    ("length", "reason"), [(32_767, ""), (32_768, ""), (32_769, "too_long"), (10_000_000, "too_long")]
)
def test_the_cap_counts_characters_and_is_exact(pas, character, length, reason):
    prompt = character * length
    result = pas.augment(prompt)
    assert (result.reason == "too_long") == (reason == "too_long")
    assert result.text.startswith(prompt)


def test_what_is_too_long_is_not_read(pas, monkeypatch):
    for name in ("language.detect", "rules.is_blank", "Screen._augmented_already"):
        monkeypatch.setattr(f"pas_middleware.screening.{name}", lambda *_: 1 / 0)
    assert pas.augment("a" * 10_000_000).reason == "too_long"


@pytest.mark.parametrize("device", ["tpu", "", "CUDA", None, 0])
def test_unknown_device_is_refused(device):
    with pytest.raises(ConfigError, match="use one of auto, cpu, cuda, tensorrt"):
        PAS.load(device=device)


def test_model_that_is_not_there_is_named():
    with pytest.raises(ModelNotFound, match="no/such/folder"):
        PAS.load("no/such/folder")


def test_a_home_that_cannot_be_written_is_not_needed():
    # Below /dev/null nothing can be made, not even by root.
    nowhere = dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), "/dev/null/home")
    code = (
        "from pas_middleware import PAS, Settings; pas = PAS.load(settings=Settings(deadline_ms=60_000)); "
        "print(pas.augment('Explain how tides work to a child').status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | nowhere, cwd="/", capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("applied\n", "")


def test_without_a_runtime_the_error_names_both_extras(monkeypatch):
    def absent(name):
        raise ImportError(name)

    monkeypatch.setattr(session.importlib, "import_module", absent)
    with pytest.raises(RuntimeMissing, match=r'pip install "pas-middleware\[cpu\]".*\[cuda\]'):
        PAS.load()


def test_settings_of_another_kind_are_refused():
    with pytest.raises(ConfigError, match="max_words is 50; give a number from 1 to 30"):
        Settings(max_words=50)
