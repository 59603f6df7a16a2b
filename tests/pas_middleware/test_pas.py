"""What PAS does besides giving reasons: batches, streams, the cache, the ring of recent outputs, sampling."""

import pytest

from pas_middleware import PAS, InputError, ModelNotFound, Proposal, ScriptedModel, Settings

COMPLEMENT = "Check each step before you answer."
QUESTION = "How many birds are left on the tree after the shot?"


def numbered(prompt: str) -> str:
    return f"Remember to mention item {prompt.split()[-1]} in the answer."


def test_result_says_what_was_done():
    with PAS(ScriptedModel(lambda _: Proposal(COMPLEMENT, detail="intent riddle 0.9"))) as pas:
        result = pas.augment(QUESTION)
    assert result.to_dict() | {"elapsed_ms": 0.0} == {
        "prompt": QUESTION,
        "text": f"{QUESTION}\n\n{COMPLEMENT}",
        "complement": COMPLEMENT,
        "status": "applied",
        "reason": "",
        "elapsed_ms": 0.0,
        "model": "scripted",
        "proposed": COMPLEMENT,
        "detail": "intent riddle 0.9",
    }
    assert result.elapsed_ms > 0


def test_separator_is_the_one_asked_for():
    pas = PAS(ScriptedModel(COMPLEMENT), Settings(separator="\n---\n"))
    assert pas.augment(QUESTION).text == f"{QUESTION}\n---\n{COMPLEMENT}"


def test_max_words_cuts_at_a_sentence_end():
    pas = PAS(
        ScriptedModel("Check each step. Then state the result and how sure you are of it."), Settings(max_words=5)
    )
    assert pas.augment(QUESTION).complement == "Check each step."


def test_frame_marks_the_complement_behind_pasted_material_and_counts():
    prompt = "Translate into German: the birds have flown away"
    framed = PAS(ScriptedModel(COMPLEMENT), Settings(max_words=8)).augment(prompt)
    assert framed.insertion == f"\n\n[Answering note: {COMPLEMENT}]"
    assert framed.complement == COMPLEMENT
    assert PAS(ScriptedModel(COMPLEMENT), Settings(max_words=7)).augment(prompt).reason == "guard_words"


async def test_batch_is_one_call_and_keeps_the_order():
    prompts = [f"Tell me about the bird with number {n}" for n in range(5)]
    prompts.insert(2, "make it shorter")
    model = ScriptedModel(numbered)
    sync = PAS(model).augment_batch(prompts)
    assert [r.prompt for r in sync] == prompts
    assert [r.complement for r in sync if r.applied] == [numbered(p) for p in prompts if p != "make it shorter"]
    assert sync[2].reason == "follow_up"
    assert model.calls == [[p for p in prompts if p != "make it shorter"]]
    wanted = [(r.text, r.reason) for r in await PAS(model).aaugment_batch(prompts)]
    assert wanted == [(r.text, r.reason) for r in sync]
    assert len(model.calls) == 2


def test_large_batch_is_asked_in_parts():
    model = ScriptedModel(numbered)
    results = PAS(model).augment_batch([f"Tell me about bird number {n}" for n in range(70)])
    assert [len(call) for call in model.calls] == [32, 32, 6]
    assert [r.complement for r in results] == [f"Remember to mention item {n} in the answer." for n in range(70)]


async def test_empty_batch_asks_nothing():
    model = ScriptedModel()
    assert PAS(model).augment_batch([]) == await PAS(model).aaugment_batch([]) == []
    assert model.calls == []


@pytest.mark.parametrize(
    ("answers", "said"),
    [([], "0 answers to 1"), ([Proposal("a"), Proposal("b")], "2 answers to 1"), (None, "TypeError")],
    ids=["too few", "too many", "none"],
)
async def test_wrong_number_of_answers_is_a_model_error(answers, said, monkeypatch):
    pas = PAS(ScriptedModel())
    monkeypatch.setattr(pas._pipeline.model, "propose", lambda requests, deadline: answers)
    for result in (pas.augment(QUESTION), await pas.aaugment(QUESTION)):
        assert (result.reason, result.text) == ("model_error", QUESTION)
        assert said in result.detail


def test_answer_of_another_type_spoils_only_its_own_prompt(monkeypatch):
    pas = PAS(ScriptedModel())
    monkeypatch.setattr(
        pas._pipeline.model, "propose", lambda requests, deadline: [Proposal(COMPLEMENT), Proposal(None), None]
    )
    results = pas.augment_batch([f"{QUESTION} {n}" for n in range(3)])
    assert [r.reason for r in results] == ["", "model_error", "model_error"]


def test_crash_outside_the_model_passes_the_prompt_on(monkeypatch):
    pas = PAS(ScriptedModel(COMPLEMENT))
    monkeypatch.setattr(pas._pipeline.model, "recognises", lambda text: 1 / 0)
    result = pas.augment(QUESTION)
    assert (result.reason, result.text) == ("model_error", QUESTION)


async def test_stream_yields_the_complement_or_nothing():
    pas = PAS(ScriptedModel(COMPLEMENT))
    assert "".join(pas.stream(QUESTION)) == COMPLEMENT
    assert "".join([piece async for piece in pas.astream(QUESTION)]) == COMPLEMENT
    assert list(pas.stream("make it shorter")) == []
    assert [piece async for piece in pas.astream(QUESTION, constrained=True)] == []


@pytest.mark.parametrize("prompt", [None, 3, b"bytes", ["list"]])
async def test_prompt_that_is_no_text_is_refused(prompt):
    pas = PAS(ScriptedModel())
    for refuse in (pas.augment, lambda p: pas.augment_batch([QUESTION, p]), lambda p: list(pas.stream(p))):
        with pytest.raises(InputError, match=f"A prompt is {type(prompt).__name__}"):
            refuse(prompt)
    with pytest.raises(InputError, match=f"A prompt is {type(prompt).__name__}"):
        await pas.aaugment(prompt)


@pytest.mark.parametrize("prompts", [QUESTION, None, {QUESTION}], ids=["text", "none", "set"])
async def test_batch_that_is_no_list_is_refused(prompts):
    pas = PAS(ScriptedModel())
    with pytest.raises(InputError, match="prompts is"):
        pas.augment_batch(prompts)
    with pytest.raises(InputError, match="prompts is"):
        await pas.aaugment_batch(prompts)


def test_same_prompt_is_decided_once():
    model = ScriptedModel(COMPLEMENT)
    pas = PAS(model)
    assert pas.augment(QUESTION).text == pas.augment(QUESTION).text
    assert model.calls == [[QUESTION]]


def test_failures_are_not_remembered():
    answers = iter([RuntimeError("broken"), COMPLEMENT])

    def script(prompt):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    pas = PAS(ScriptedModel(script))
    assert [pas.augment(QUESTION).reason, pas.augment(QUESTION).reason] == ["model_error", ""]


def test_shadow_records_and_adds_nothing():
    pas = PAS(ScriptedModel(COMPLEMENT), Settings(shadow=True))
    result = pas.augment(QUESTION)
    assert (result.status, result.reason, result.proposed) == ("shadowed", "shadow", COMPLEMENT)
    assert (result.text, result.complement, result.insertion) == (QUESTION, "", "")


def test_guard_rejection_keeps_what_was_proposed():
    result = PAS(ScriptedModel("Check it.<|im_end|>")).augment(QUESTION)
    assert (result.reason, result.proposed, result.complement) == ("guard_control", "Check it.<|im_end|>", "")


def sampled(rate: float) -> list[str]:
    pas = PAS(ScriptedModel(COMPLEMENT), Settings(sample_rate=rate))
    prompts = [f"{QUESTION} {n}" for n in range(400)]
    return [p for p, r in zip(prompts, pas.augment_batch(prompts), strict=True) if r.reason != "sampled_out"]


def test_sampling_takes_about_the_share_asked_for_and_the_same_prompts_again():
    assert sampled(0.0) == []
    assert 90 <= len(sampled(0.3)) <= 150
    assert sampled(0.3) == sampled(0.3)  # in a tool loop, a retry, another process
    assert set(sampled(0.3)) < set(sampled(0.6)) < set(sampled(1.0))


def test_own_output_is_recognised_framed_or_not_and_with_space_behind():
    pas = PAS(ScriptedModel(lambda _: COMPLEMENT))  # a model that does not recognise its outputs itself
    for prompt in (QUESTION, "Translate into German: the birds have flown away"):
        text = pas.augment(prompt).text
        assert text != prompt
        for again in (text, text + " \n"):
            assert pas.augment(again).reason == "already_augmented"


def test_ring_of_recent_outputs_is_bounded():
    pas = PAS(ScriptedModel(numbered), Settings(cache_entries=0))
    texts = [pas.augment(f"Tell me about bird number {n}").text for n in range(300)]
    assert pas.augment(texts[-1]).reason == "already_augmented"
    assert pas.augment(texts[44]).reason == "already_augmented"
    assert pas.augment(texts[43]).reason != "already_augmented"


def test_what_was_only_shadowed_is_not_taken_for_augmented():
    pas = PAS(ScriptedModel(lambda _: COMPLEMENT), Settings(shadow=True))
    pas.augment(QUESTION)
    assert pas.augment(f"{QUESTION}\n\n{COMPLEMENT}").reason != "already_augmented"


def test_missing_model_is_named(tmp_path):
    with pytest.raises(ModelNotFound, match="nowhere"):
        PAS.load(tmp_path / "nowhere")
