import copy
import pickle
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.prompts import PromptTemplate
from llama_index.core.schema import QueryBundle

import llama_index_pas
from llama_index_pas import PASQueryTransform
from pas_middleware import PAS, AugmentationError, ConfigError, ModelNotFound, Proposal, ScriptedModel, Settings

QUESTION = "Ten birds sit in a tree and one is shot. How many are left?"


def test_the_query_is_augmented_and_the_embedding_string_is_not(transform, complement):
    bundle = transform.run(QUESTION)
    assert bundle.query_str == f"{QUESTION}\n\n{complement}"
    assert bundle.embedding_strs == [QUESTION]


def test_a_bundle_keeps_its_strings_image_and_embedding(transform, complement):
    given_ = QueryBundle(QUESTION, "birds.png", ["shot birds", QUESTION], [0.25, 0.5])
    bundle = transform.run(given_)
    assert bundle.query_str.endswith(complement)
    assert (bundle.image_path, bundle.custom_embedding_strs, bundle.embedding) == (
        "birds.png",
        ["shot birds", QUESTION],
        [0.25, 0.5],
    )


def test_the_given_bundle_is_not_changed_nor_shared(transform):
    strings = [QUESTION]
    given_ = QueryBundle(QUESTION, custom_embedding_strs=strings)
    transform.run(given_).custom_embedding_strs.append("more")
    assert given_ == QueryBundle(QUESTION, custom_embedding_strs=[QUESTION])


def test_the_embedding_can_be_asked_to_see_the_complement(model, complement):
    transform = PASQueryTransform(pas=PAS(model), augment_embedding=True)
    augmented = f"{QUESTION}\n\n{complement}"
    bundle = transform.run(QueryBundle(QUESTION, "birds.png", ["a hypothetical document", QUESTION], [0.25]))
    assert bundle == QueryBundle(augmented, "birds.png", ["a hypothetical document", augmented], None)
    assert transform.run(QUESTION).embedding_strs == [augmented]


@pytest.mark.parametrize(
    ("script", "chosen"),
    [
        (lambda prompt: Proposal(reason="unsure"), Settings()),
        (lambda prompt: 1 / 0, Settings()),
        ("Think it through.", Settings(shadow=True)),
    ],
    ids=["skipped", "failed", "shadowed"],
)
def test_a_bundle_to_which_nothing_is_added_comes_back_as_it_is(script, chosen):
    given_ = QueryBundle(QUESTION, "birds.png", None, [0.25])
    bundle = PASQueryTransform(pas=PAS(ScriptedModel(script), chosen)).run(given_)
    assert bundle is given_
    assert bundle == QueryBundle(QUESTION, "birds.png", None, [0.25])


async def test_an_image_without_text_is_left_alone(transform, model):
    given_ = QueryBundle("", image_path="birds.png")
    assert transform.run(given_) is given_
    assert await transform.arun(given_) is given_
    assert model.calls == []


async def test_arun_gives_what_run_gives(transform):
    for query in (QUESTION, QueryBundle(QUESTION, "birds.png", None, [0.25]), ""):
        assert await transform.arun(query) == transform.run(query)


@settings(deadline=None)
@given(query=st.text(max_size=300), strings=st.none() | st.lists(st.text(max_size=20), max_size=3))
def test_the_query_stays_a_prefix_and_retrieval_sees_it_unchanged(query, strings):
    transform = PASQueryTransform(pas=PAS(ScriptedModel("Check every step before you answer.")))
    given_ = QueryBundle(query, custom_embedding_strs=strings)
    bundle = transform.run(given_)
    assert bundle.query_str.startswith(query)
    assert bundle.embedding_strs == given_.embedding_strs
    assert transform.run(bundle).query_str == bundle.query_str


def test_a_failure_is_raised_where_settings_ask_for_it():
    chosen = Settings(on_error="raise")
    transform = PASQueryTransform(pas=PAS(ScriptedModel(lambda prompt: 1 / 0), chosen))
    with pytest.raises(AugmentationError, match="ZeroDivisionError"):
        transform.run(QUESTION)


async def test_the_model_is_loaded_once_and_on_first_use(loads):
    chosen = Settings(max_words=20)
    transform = PASQueryTransform("models/mine", device="cpu", settings=chosen)
    assert loads == []
    transform.run(QUESTION)
    await transform.arun(QUESTION)
    assert loads == [(("models/mine",), {"device": "cpu", "settings": chosen})]


def test_a_model_that_is_not_there_is_told_on_first_use(tmp_path):
    transform = PASQueryTransform(tmp_path / "nothing")
    with pytest.raises(ModelNotFound):
        transform.run(QUESTION)


@pytest.mark.parametrize("more", [{"model": "models/mine"}, {"device": "cpu"}, {"settings": Settings()}])
def test_a_ready_pas_excludes_what_would_load_another(model, more):
    with pytest.raises(ConfigError, match="one or the other"):
        PASQueryTransform(pas=PAS(model), **more)


@pytest.mark.parametrize("used", [False, True])
def test_a_pickle_carries_how_to_load_and_not_the_model(loads, used):
    transform = PASQueryTransform("models/mine", settings=Settings(separator=" "), augment_embedding=True)
    if used:
        transform.run(QUESTION)
    again = pickle.loads(pickle.dumps(transform))
    assert again.run(QUESTION) == transform.run(QUESTION)
    assert again.augment_embedding
    assert loads == [(("models/mine",), {"device": "auto", "settings": Settings(separator=" ")})] * 2


def test_a_ready_pas_is_not_pickled_and_the_error_says_what_to_give(transform):
    with pytest.raises(TypeError, match="give model, device and settings"):
        pickle.dumps(transform)


def test_copies_share_the_loaded_model(loads):
    transform = PASQueryTransform()
    copies = [copy.deepcopy(transform), copy.copy(transform)]
    assert len({t.run(QUESTION).query_str for t in [transform, *copies]}) == 1
    assert len(loads) == 1


def test_there_are_no_prompts_to_get_or_update(transform, complement):
    assert transform.get_prompts() == {}
    transform.update_prompts({"text_qa_template": PromptTemplate("{query_str}")})
    assert transform.run(QUESTION).query_str.endswith(complement)


def test_an_event_tells_what_was_added(transform, events, complement):
    transform.run(QUESTION)
    (event,) = events
    assert (event.complement, event.status, event.reason) == (complement, "applied", "")
    assert event.elapsed_ms > 0
    assert event.span_id.startswith("PASQueryTransform._run-")
    assert event.model_dump()["class_name"] == "PASComplementEvent"


async def test_an_event_tells_why_nothing_was_added(transform, events):
    transform.run("")
    await transform.arun("why?")
    assert [(e.complement, e.status, e.reason) for e in events] == [
        ("", "skipped", "blank"),
        ("", "skipped", "follow_up"),
    ]
    assert events[1].span_id.startswith("PASQueryTransform.arun-")


def test_the_package_exports_its_names_and_no_more():
    names = ["PASLLM", "PASAgentMixin", "PASComplementEvent", "PASQueryEngine", "PASQueryTransform"]
    assert sorted(llama_index_pas.__all__) == sorted(names)
    assert all(getattr(llama_index_pas, name).__name__ == name for name in names)


@pytest.mark.parametrize(
    ("absent", "told"),
    [("llama_index", 'pip install "pas-middleware[llama-index]"'), ("llama_index_pas.lazy", "llama_index_pas.lazy")],
)
def test_only_a_missing_llama_index_is_told_by_its_extra(absent, told):
    code = f"import sys; sys.modules[{absent!r}] = None; import llama_index_pas"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    last = done.stderr.strip().splitlines()[-1]
    assert told in last
    assert ("RuntimeMissing" in last) is (absent == "llama_index")
