"""The store of answers where its disk is full."""

import pytest

from pas_middleware.errors import InputError
from pas_trainer.llm import Answer, Store
from pas_trainer.llm.store import Key


def test_a_disk_that_fills_up_is_said_and_the_answers_before_are_kept(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        store.put(Key("0", "s", "c"), Answer("first"), 0.5)
        store._db.execute("PRAGMA max_page_count = 20")  # what SQLite meets on a full disk
        with pytest.raises(InputError, match="run again") as failed:
            for number in range(1, 100):
                store.put(Key(str(number), "s", "c"), Answer("long " * 500), 0.0)
        assert failed.value.reason == "disk_full"
        kept = store.totals().calls
    with Store(tmp_path / "s.sqlite") as store:
        assert store.get(Key("0", "s", "c")) == Answer("first")
        assert store.totals().calls == kept
        assert store.totals().usd == 0.5


def test_the_first_answer_of_a_name_stays(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        assert store.put(Key("0", "s", "c"), Answer("first"), 0.5)
        assert not store.put(Key("0", "s", "c"), Answer("second"), 0.5)
        assert store.get(Key("0", "s", "c")) == Answer("first")
        assert store.totals("s").usd == 0.5
        assert store.totals("other").calls == 0
