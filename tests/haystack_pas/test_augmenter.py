import subprocess
import sys
from collections.abc import Iterator

import pytest
from haystack import Pipeline, component
from haystack.components.builders import ChatPromptBuilder
from haystack.dataclasses import ChatMessage, ImageContent

import haystack_pas
from haystack_pas import PASAugmenter
from pas_middleware import PAS, Breaker, ConfigError, ModelNotFound, ScriptedModel, Settings

COMPLEMENT = "Check every step before you answer."
ASK = "How do birds fly in the rain?"
GROWN = f"{ASK}\n\n{COMPLEMENT}"


@component
class Echo:
    """A chat generator that answers with what it was sent."""

    @component.output_types(replies=list[ChatMessage])
    def run(self, messages: list[ChatMessage]):
        return {"replies": [ChatMessage.from_assistant(messages[-1].text)]}

    @component.output_types(replies=list[ChatMessage])
    async def run_async(self, messages: list[ChatMessage]):
        return self.run(messages)


@pytest.fixture
def scripted() -> ScriptedModel:
    return ScriptedModel(COMPLEMENT)


@pytest.fixture
def pas(scripted) -> Iterator[PAS]:
    with PAS(scripted) as engine:
        yield engine


def pipeline(augmenter: PASAugmenter) -> Pipeline:
    made = Pipeline()
    made.add_component("builder", ChatPromptBuilder([ChatMessage.from_user("{{ question }}")]))
    made.add_component("pas", augmenter)
    made.add_component("llm", Echo())
    made.connect("builder.prompt", "pas.messages")
    made.connect("pas.messages", "llm.messages")
    return made


def test_in_a_pipeline_the_generator_reads_the_complement(pas):
    outputs = pipeline(PASAugmenter(pas=pas)).run({"builder": {"question": ASK}})
    assert outputs["llm"]["replies"][0].text == GROWN
    assert outputs["pas"]["augmentation"].complement == COMPLEMENT


async def test_in_an_asynchronous_run_too(pas, scripted):
    outputs = await pipeline(PASAugmenter(pas=pas)).run_async({"builder": {"question": ASK}})
    assert outputs["llm"]["replies"][0].text == GROWN
    assert scripted.calls == [[ASK]]


async def test_run_async_does_not_block_the_event_loop(pas):
    from blockbuster import blockbuster_ctx

    with blockbuster_ctx():
        outputs = await PASAugmenter(pas=pas).run_async([ChatMessage.from_user(ASK)])
    assert outputs["messages"][0].text == GROWN


def test_the_last_user_message_grows_and_nothing_given_is_changed(pas):
    chat = [
        ChatMessage.from_system("Be kind."),
        ChatMessage.from_user("Hello there!"),
        ChatMessage.from_user(ASK, meta={"id": 7}, name="ann"),
        ChatMessage.from_assistant("Let me think."),
    ]
    before = [message.to_dict() for message in chat]
    outputs = PASAugmenter(pas=pas).run(chat)["messages"]
    assert [message.to_dict() for message in chat] == before
    assert [outputs[0], outputs[1], outputs[3]] == [chat[0], chat[1], chat[3]]
    grown = outputs[2]
    assert (grown.text, grown.name, grown.meta["id"]) == (GROWN, "ann", 7)
    assert grown.meta["pas"]["complement"] == COMPLEMENT
    assert grown.to_openai_dict_format() == {"role": "user", "content": GROWN, "name": "ann"}


def test_a_message_of_several_parts_gains_one(pas):
    image = ImageContent(base64_image="iVBORw0KGgo=", mime_type="image/png", validation=False)
    message = ChatMessage.from_user(content_parts=[ASK, image])
    (grown,) = PASAugmenter(pas=pas).run([message])["messages"]
    assert grown.texts == [ASK, f"\n\n{COMPLEMENT}"]
    assert grown.images == [image]


def test_two_in_a_row_add_one(pas, scripted):
    with PAS(ScriptedModel("Name your sources.")) as other:
        once = PASAugmenter(pas=other).run([ChatMessage.from_user(ASK)])["messages"]
    twice = PASAugmenter(pas=pas).run(once)
    assert twice["messages"] is once
    assert twice["augmentation"].reason == "already_augmented"
    assert scripted.calls == []


@pytest.mark.parametrize(
    ("chat", "reason"),
    [
        ([], "blank"),
        ([ChatMessage.from_system(ASK)], "blank"),
        ([ChatMessage.from_user(content_parts=[ImageContent("iVBORw0KGgo=", "image/png", validation=False)])], "blank"),
        ([ChatMessage.from_user("Reply with JSON only: which birds fly south?")], "already_constrained"),
    ],
)
def test_where_nothing_is_added_the_very_list_comes_back(pas, scripted, chat, reason):
    outputs = PASAugmenter(pas=pas).run(chat)
    assert outputs["messages"] is chat
    assert outputs["augmentation"].reason == reason
    assert scripted.calls == []


def test_a_failing_model_passes_the_messages():
    def fail(prompt):
        raise RuntimeError("broken")

    chat = [ChatMessage.from_user(ASK)]
    with PAS(ScriptedModel(fail)) as broken:
        outputs = PASAugmenter(pas=broken).run(chat)
    assert outputs["messages"] is chat
    assert outputs["augmentation"].reason == "model_error"


def test_a_saved_pipeline_is_the_same_when_loaded():
    settings = Settings(max_words=20, languages=("en",), breaker=Breaker(failures=3))
    saved = pipeline_of(PASAugmenter(device="cpu", settings=settings)).dumps()
    loaded = Pipeline.loads(saved, allowed_modules=["haystack_pas.*"]).get_component("pas")
    assert loaded.to_dict() == PASAugmenter(device="cpu", settings=settings).to_dict()
    assert loaded._how == (None, "cpu", settings)


def pipeline_of(augmenter: PASAugmenter) -> Pipeline:
    made = Pipeline()
    made.add_component("pas", augmenter)
    return made


def test_a_ready_pas_cannot_be_saved(pas):
    with pytest.raises(ConfigError, match="cannot be saved"):
        PASAugmenter(pas=pas).to_dict()


def test_pas_and_settings_together_are_refused(pas):
    with pytest.raises(ConfigError, match="give pas or those, not both"):
        PASAugmenter(pas=pas, settings=Settings())


def test_the_model_is_loaded_by_warm_up_and_a_missing_one_is_named():
    with pytest.raises(ModelNotFound, match="no/such/model"):
        PASAugmenter("no/such/model").warm_up()


def test_pas_mini_by_default():
    augmenter = PASAugmenter(settings=Settings(deadline_ms=60_000))
    (message,) = augmenter.run([ChatMessage.from_user("Plan a weekend in Lisbon with two kids")])["messages"]
    assert message.text.startswith("Plan a weekend in Lisbon with two kids\n\n")


def test_public_names_and_the_error_without_haystack():
    assert haystack_pas.__all__ == ["PASAugmenter"]
    code = "import sys; sys.modules['haystack'] = None; import haystack_pas"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert 'RuntimeMissing: haystack-ai is not installed; run `pip install "pas-middleware[haystack]"`.' in run.stderr
