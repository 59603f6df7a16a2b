"""A PASRunnable is its spec: copies, pickles, dumps and configured variants share the engine of the process."""

import copy
import os
import pickle
import subprocess
import sys
import textwrap
import threading

import pytest
from langchain_core.load import dumps
from langchain_core.load import loads as lc_loads
from langchain_core.runnables import ConfigurableField
from pydantic import ValidationError

from langchain_pas import PASRunnable
from pas_middleware import PAS, Breaker, ConfigError, ModelNotFound, ScriptedModel, Settings

COMPLEMENT = "Check every step before you answer."
ASK = "How do birds fly in the rain?"
TOLD = f"{ASK}\n\n{COMPLEMENT}"
SETTINGS = Settings(max_words=20, languages=("en",), breaker=Breaker(failures=3), deadline_ms=900.0)
FULL = {"model": "models/a", "device": "cpu", "settings": SETTINGS, "input_key": "q", "output": "complement"}


def test_nothing_is_loaded_before_first_use_nor_for_what_has_no_text(loads):
    runnable = PASRunnable(**FULL)
    assert runnable.invoke({"q": ""}) == ""
    assert loads == []
    assert runnable.invoke({"q": ASK}) == COMPLEMENT
    assert loads == [("models/a", "cpu", SETTINGS)]


def test_one_engine_for_all_that_name_the_same(loads):
    for runnable in (
        PASRunnable(),
        PASRunnable(settings=Settings()),
        PASRunnable(input_key="q"),
        PASRunnable(name="x"),
    ):
        runnable.invoke({"q": ASK, "input": ASK})
    assert len(loads) == 1
    PASRunnable(model="models/a").invoke(ASK)
    PASRunnable(settings=SETTINGS).invoke(ASK)
    assert len(loads) == 3


def test_threads_that_come_first_together_load_once(monkeypatch, loads):
    loader, second_load = PAS.load, threading.Event()

    def load(*args, **kwargs):
        engine = loader(*args, **kwargs)
        if len(loads) > 1:
            second_load.set()
        second_load.wait(0.2)  # time for another thread to come in, if it could
        return engine

    monkeypatch.setattr(PAS, "load", load)
    threads = [threading.Thread(target=PASRunnable().invoke, args=(ASK,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


def test_a_failed_load_is_told_and_tried_again(tmp_path):
    runnable = PASRunnable(model=str(tmp_path / "none"))
    for _ in range(2):
        with pytest.raises(ModelNotFound, match="none"):
            runnable.invoke(ASK)


@pytest.mark.parametrize("again", [lambda r: pickle.loads(pickle.dumps(r)), copy.deepcopy, copy.copy])
def test_copies_share_the_engine(loads, again):
    runnable = PASRunnable(settings=SETTINGS)
    runnable.invoke(ASK)
    twin = again(runnable)
    assert twin == runnable and twin is not runnable
    assert twin.invoke(ASK) == TOLD
    assert len(loads) == 1


def test_a_chain_can_be_pickled_and_copied(loads):
    chain = PASRunnable() | PASRunnable(input_key="q")
    assert pickle.loads(pickle.dumps(chain)).invoke(ASK) == TOLD
    assert copy.deepcopy(chain).invoke(ASK) == TOLD


def test_configured_variants_do_not_load_again(loads):
    runnable = PASRunnable().configurable_fields(
        output=ConfigurableField("output"), input_key=ConfigurableField("key"), model=ConfigurableField("model")
    )
    assert runnable.invoke(ASK) == TOLD
    for _ in range(3):
        assert runnable.invoke(ASK, {"configurable": {"output": "complement"}}) == COMPLEMENT
        assert runnable.invoke({"q": ASK}, {"configurable": {"key": "q"}}) == {"q": TOLD}
    assert len(loads) == 1
    for _ in range(3):
        runnable.invoke(ASK, {"configurable": {"model": "models/b"}})
    assert [model for model, _, _ in loads] == [None, "models/b"]


def test_configured_variants_of_a_ready_pas_use_it(pas, scripted):
    runnable = pas.configurable_fields(output=ConfigurableField("output"))
    assert runnable.invoke(ASK, {"configurable": {"output": "complement"}}) == COMPLEMENT
    assert scripted.calls == [[ASK]]


def test_dumps_and_loads_round_trip():
    for runnable in (PASRunnable(), PASRunnable(**FULL), PASRunnable(settings=Settings(shadow=True))):
        text = dumps(runnable)
        again = lc_loads(text, allowed_objects=[PASRunnable], valid_namespaces=["langchain_pas"])
        assert again == runnable
        assert dumps(again) == text


def test_a_ready_pas_is_shared_by_copies_but_neither_pickled_nor_dumped(pas):
    assert copy.deepcopy(pas).pas is pas.pas
    with pytest.raises(ConfigError, match=r"cannot be pickled.*model="):
        pickle.dumps(pas)
    with pytest.raises(NotImplementedError):
        lc_loads(dumps(pas), allowed_objects=[PASRunnable], valid_namespaces=["langchain_pas"])


@pytest.mark.parametrize("more", [{"model": "models/a"}, {"device": "cpu"}, {"settings": Settings()}])
def test_a_ready_pas_excludes_a_spec(more):
    with pytest.raises(ConfigError, match="not both"):
        PASRunnable(pas=PAS(ScriptedModel(COMPLEMENT)), **more)


@pytest.mark.parametrize(
    "wrong",
    [{"modle": "x"}, {"device": "tpu"}, {"output": "text"}, {"settings": {"max_wrods": 3}}, {"pas": "models/a"}],
)
def test_misspelt_and_unknown_values_are_refused(wrong):
    with pytest.raises(ValidationError):
        PASRunnable(**wrong)


def test_settings_may_be_given_as_json_gives_them():
    runnable = PASRunnable(settings={"languages": ["en"], "breaker": {"failures": 3}})
    assert runnable.settings == Settings(languages=("en",), breaker=Breaker(failures=3))
    with pytest.raises(ConfigError, match="max_words is 99"):
        PASRunnable(settings={"max_words": 99})


FORKING = """
    import os, signal, threading
    from langchain_pas import PASRunnable, engine
    from pas_middleware import PAS, ScriptedModel

    loads = []
    PAS.load = classmethod(lambda cls, *_, settings, **__: loads.append(1) or cls(ScriptedModel("Be brief."), settings))
    ask, told = "How do birds fly in the rain?", "How do birds fly in the rain?\\n\\nBe brief."
    runnable = PASRunnable()
    assert runnable.invoke(ask) == told
    engine._lock.acquire()  # as if another thread were loading at the moment of the fork
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        assert runnable.invoke(ask) == told and len(loads) == 1
        assert PASRunnable(model="b").invoke(ask) == told and len(loads) == 2
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_shares_what_was_loaded_and_can_load():
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(FORKING)], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
