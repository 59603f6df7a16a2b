"""What the cache holds is given back to nobody but who asked the same of the same PAS object.

PAS knows no tenants: a cache belongs to one object, with one model and one group of settings, and its key is the whole
prompt. Three objects here stand for two tenants and an anonymous one: they share a model, and no decision.
"""

import asyncio
import random
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest

from pas_middleware import PAS, Augmentation, ScriptedModel, Settings
from pas_middleware.screening import _key

PROMPTS = [f"Tell me about the bird with number {number}" for number in range(24)]
#: Each tenant's settings show in what it gets.
TENANTS = {
    "first": Settings(separator="\n\n[first] ", cache_entries=8, deadline_ms=600_000),
    "second": Settings(separator="\n\n[second] ", cache_entries=16, max_words=12, deadline_ms=600_000),
    "anonymous": Settings(separator="\n\n", cache_entries=12, languages=("zh",), deadline_ms=600_000),
}
LONG = " Then say in a second sentence what follows from it for the birds."


def numbered(prompt: str) -> str:
    return f"Say first what is known of bird {prompt.rpartition(' ')[2]} and of no other.{LONG}"


def expected(tenant: str, prompt: str, constrained: bool) -> str:
    """Return what a tenant gets for a prompt where nothing is remembered."""
    settings = TENANTS[tenant]
    if constrained or settings.languages == ("zh",):
        return prompt
    said = numbered(prompt)
    return prompt + settings.separator + (said.removesuffix(LONG) if settings.max_words < 30 else said)


async def streamed(pas: PAS, prompt: str, constrained: bool) -> str:
    said = [piece async for piece in pas.astream(prompt, constrained=constrained)]
    return prompt + (pas.settings.separator if said else "") + "".join(said)


async def one_of_a_batch(pas: PAS, prompt: str, constrained: bool) -> str:
    return (await pas.aaugment_batch([prompt, PROMPTS[0]], constrained=constrained))[0].text


async def alone(pas: PAS, prompt: str, constrained: bool) -> str:
    return (await pas.aaugment(prompt, constrained=constrained)).text


async def in_a_thread(pas: PAS, prompt: str, constrained: bool) -> str:
    return (await asyncio.to_thread(pas.augment, prompt, constrained=constrained)).text


WAYS = (alone, alone, one_of_a_batch, streamed, in_a_thread)


async def test_in_10_000_interleavings_nobody_gets_what_another_was_given():
    chance = random.Random(8)
    model = ScriptedModel(numbered, threads=2)
    tenants = {name: PAS(model, settings) for name, settings in TENANTS.items()}
    foreign = []

    async def work(_: int) -> None:
        for _ in range(500):
            tenant, prompt = chance.choice([*TENANTS]), chance.choice(PROMPTS)
            constrained, way = chance.random() < 0.2, chance.choice(WAYS)
            text = await way(tenants[tenant], prompt, constrained)
            if text != expected(tenant, prompt, constrained):
                foreign.append((tenant, prompt, constrained, way.__name__, text))

    await asyncio.gather(*map(work, range(20)))
    assert foreign == []
    asked = sum(map(len, model.calls))
    assert 48 < asked < 6_000  # the cache answered most of what it may, and was too small for all


def one() -> tuple[PAS, ScriptedModel]:
    model = ScriptedModel(numbered)
    return PAS(model), model


def test_two_objects_with_one_model_share_no_decision():
    model = ScriptedModel(numbered)
    first, second = PAS(model), PAS(model)
    assert first.augment(PROMPTS[0]).text == second.augment(PROMPTS[0]).text
    assert len(model.calls) == 2


@pytest.mark.parametrize("order", [(False, True), (True, False)])
def test_a_format_asked_for_elsewhere_is_no_part_of_what_is_remembered(order):
    pas, _ = one()
    results = {constrained: pas.augment(PROMPTS[0], constrained=constrained) for constrained in order * 2}
    assert results[False].applied and results[True].reason == "already_constrained"


def test_what_a_chat_holds_beside_the_users_text_changes_nothing_and_gets_nothing():
    pas, model = one()
    chats = [
        [{"role": "system", "content": f"You serve tenant {n}."}, {"role": "user", "content": PROMPTS[0]}] for n in "ab"
    ]
    placed = [pas.augment_messages(chat) for chat in chats]
    assert [each.messages[0] for each in placed] == [chat[0] for chat in chats]
    assert len(model.calls) == 1  # the model would have been asked the same


def test_a_remembered_decision_cannot_be_changed_by_who_got_it():
    pas, _ = one()
    results: list[Augmentation] = [pas.augment(PROMPTS[0]) for _ in range(2)]
    with pytest.raises(AttributeError):
        results[0].text = "another"  # type: ignore[misc]
    assert results[1].text == f"{PROMPTS[0]}\n\n{numbered(PROMPTS[0])}"


#: What could make two prompts one where a key is built carelessly.
def neighbours(text: str, chance: random.Random) -> list[str]:
    at = chance.randrange(len(text) + 1)
    joint = chance.choice(["\0", " ", "\n", "|", ":", "\x1f", "\u200b", "\ufeff", "\u0301", "\ud83d", "\udc26", "="])
    return [
        text[:at] + joint + text[at:],
        text + joint,
        joint + text,
        text.swapcase(),
        unicodedata.normalize("NFD", text),
        unicodedata.normalize("NFKC", text),
        text.replace("\U0001f426", "\ud83d\udc26"),
        text[::-1],
        text.strip(),
        f"{len(text)}:{text}",
    ]


def test_of_100_000_pairs_of_like_prompts_none_shares_a_key():
    chance = random.Random(8)
    letters = "aAzé\u00e9e\u0301\ufb01\u212b \n\0|:1\U0001f426\ud83d\udc26\uff21\u3000鸟"
    pairs = {
        (text, other)
        for _ in range(17_000)
        for text in ["".join(chance.choices(letters, k=chance.randrange(1, 24)))]
        for other in neighbours(text, chance)
        if other != text
    }
    assert len(pairs) >= 100_000
    assert [pair for pair in pairs if _key(pair[0]) == _key(pair[1])] == []


def test_like_prompts_are_decided_apart():
    chance = random.Random(8)
    model = ScriptedModel(lambda _: "Say first what is known of it.")
    pas = PAS(model, Settings(deadline_ms=600_000))
    prompts = {PROMPTS[0], *(other for _ in range(40) for other in neighbours(f"{PROMPTS[0]} é \U0001f426", chance))}
    with ThreadPoolExecutor(4) as pool:
        first = list(pool.map(pas.augment, prompts))
    asked = [prompt for call in model.calls for prompt in call]
    assert len(asked) == len(set(asked)) == sum(result.applied for result in first) > 50
    assert all(result.text.startswith(prompt) for prompt, result in zip(prompts, first, strict=True))
