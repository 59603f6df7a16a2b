import copy

import pytest

from pas_middleware import PAS, InputError, ScriptedModel

COMPLEMENT = "Check each step before you answer."
QUESTION = "How many birds are left on the tree after the shot?"
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
CALL = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]}
RESULT = {"role": "tool", "tool_call_id": "1", "content": "How many birds are there? Ten."}


def augmented(chat):
    before = copy.deepcopy(chat)
    result = PAS(ScriptedModel(COMPLEMENT)).augment_messages(chat)
    assert chat == before
    return result


def test_last_user_text_grows_and_all_else_stays():
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is the capital of Peru?"},
        {"role": "assistant", "content": "Lima."},
        {"role": "user", "content": QUESTION, "name": "ada"},
    ]
    result = augmented(chat)
    assert result.augmentation.applied
    assert result.messages[:3] == chat[:3]
    assert result.messages[3] == {"role": "user", "content": f"{QUESTION}\n\n{COMPLEMENT}", "name": "ada"}


def test_parts_gain_one_text_part_of_their_own_type():
    for kind in ("text", "input_text"):
        parts = [{"type": kind, "text": QUESTION}, IMAGE]
        result = augmented([{"role": "user", "content": parts}])
        assert result.messages[0]["content"] == [*parts, {"type": kind, "text": f"\n\n{COMPLEMENT}"}]


def test_several_text_parts_are_read_together():
    parts = [{"type": "text", "text": "Two questions."}, IMAGE, {"type": "text", "text": QUESTION}]
    assert augmented([{"role": "user", "content": parts}]).augmentation.prompt == f"Two questions.\n{QUESTION}"


def test_tool_results_are_never_the_target():
    chat = [{"role": "user", "content": QUESTION}, CALL, RESULT]
    result = augmented(chat)
    assert result.messages[0]["content"] == f"{QUESTION}\n\n{COMPLEMENT}"
    assert result.messages[1:] == chat[1:]


def test_tool_results_in_a_user_message_are_passed_over():
    sent = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "Ten birds."}]}
    chat = [{"role": "user", "content": QUESTION}, CALL, sent]
    result = augmented(chat)
    assert result.messages[0]["content"].startswith(QUESTION + "\n\n")
    assert result.messages[2] is sent


@pytest.mark.parametrize(
    "chat",
    [
        [{"role": "system", "content": QUESTION}],
        [{"role": "assistant", "content": QUESTION}],
        [{"role": "user", "content": [IMAGE]}],
        [{"role": "user", "content": []}],
        [{"role": "user", "content": None}],
        [{"role": "user"}],
        [{"role": "user", "content": [{"type": "text", "text": None}]}],
        [{"role": "user", "content": b"How many birds?"}],
        [{"role": "user", "content": QUESTION}, {"role": "user", "content": [IMAGE]}],
    ],
    ids=["system", "assistant", "image", "no parts", "none", "no content", "null text", "bytes", "image after text"],
)
def test_chat_without_user_text_at_its_end_comes_back_itself(chat):
    result = augmented(chat)
    assert result.messages is chat
    assert result.augmentation.reason == "blank"


def test_skipped_chat_comes_back_itself():
    chat = [{"role": "user", "content": QUESTION}]
    result = PAS(ScriptedModel(COMPLEMENT)).augment_messages(chat, constrained=True)
    assert result.messages is chat
    assert result.augmentation.reason == "already_constrained"


async def test_async_gives_the_same():
    chat = [{"role": "user", "content": QUESTION}]
    result = await PAS(ScriptedModel(COMPLEMENT)).aaugment_messages(chat)
    assert result.messages == augmented(chat).messages


@pytest.mark.parametrize(
    ("chat", "named"),
    [
        ("How many birds?", "messages is str"),
        (b"How many birds?", "messages is bytes"),
        ({"role": "user", "content": "x"}, "messages is dict"),
        (None, "messages is NoneType"),
        ([], "messages is empty"),
        ([{"role": "user", "content": "x"}, "hello"], r"messages\[1\] is str"),
        ([{"content": "x"}], r"messages\[0\] is dict without a role"),
        ([{"role": 3, "content": "x"}], r"messages\[0\] is dict without a role"),
    ],
)
async def test_bad_input_is_named(chat, named):
    pas = PAS(ScriptedModel(COMPLEMENT))
    with pytest.raises(InputError, match=named):
        pas.augment_messages(chat)
    with pytest.raises(InputError, match=named):
        await pas.aaugment_messages(chat)
