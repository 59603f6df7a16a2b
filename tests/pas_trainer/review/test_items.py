"""Items are read from JSON Lines and from an evaluation's folder; what is wrong with them is said at once."""

import json

import pytest
from reviews import some_items, write_items

from pas_middleware.errors import ConfigError, InputError
from pas_trainer.review.items import Item, read_items


def line(**changes):
    return {"id": "1", "prompt": "p", "category": "c", "arms": {"none": "x", "pas": "y"}} | changes


def write(path, *rows):
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return path


def test_items_are_read_as_they_stand(tmp_path):
    items = [Item("a", "A prompt with \u2028 inside", "Chat", {"none": "", "pas": "y\u2029"}), *some_items(3)]
    assert read_items(write_items(tmp_path / "items.jsonl", items)).items == items


def test_a_category_is_optional_and_an_id_may_be_a_number(tmp_path):
    row = line(id=7)
    del row["category"]
    assert read_items(write(tmp_path / "i.jsonl", row)).items == [Item("7", "p", "other", {"none": "x", "pas": "y"})]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "is empty"),
        (["{"], "line 1: not JSON"),
        (["", "[1]"], "line 2: a list, not an object"),
        ([line(), line(id="2"), line()], "more than one item 1"),
        ([line(), line(id="2", arms={"none": "x"})], "2 lacks pas"),
        ([line(arms={})], "arms is {}"),
        ([line(arms=["x", "y"])], "arms is ['x', 'y']"),
        ([line(arms={"none": 3})], "none is 3"),
        ([line(prompt=" ")], "prompt is ' '"),
        ([line(id=None)], "id is None"),
        ([line(id=True)], "id is True"),
        ([line(arms={"none": "same", "pas": "same"})], "no item whose answers differ"),
    ],
)
def test_bad_items_are_named(tmp_path, rows, said):
    with pytest.raises(InputError) as error:
        read_items(write(tmp_path / "items.jsonl", *rows))
    assert said in str(error.value)
    assert error.value.hint


def test_a_missing_file_and_another_encoding_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nothing\.jsonl is not a file"):
        read_items(tmp_path / "nothing.jsonl")
    (tmp_path / "latin.jsonl").write_bytes('{"id": "ü"}'.encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8 at byte 8"):
        read_items(tmp_path / "latin.jsonl")


def difference(id, arm, answer, none="base", **more):
    keys = {"benchmark": "own", "target": "llm", "category": "c", "prompt": f"prompt {id}", "answer_none": none}
    return keys | {"id": id, "arm": arm, "answer": answer} | more


def test_an_evaluation_is_read_with_all_its_arms(tmp_path):
    rows = [difference(id, arm, f"{arm} {id}") for id in ("1", "2") for arm in ("suffix", "pas")]
    rows += [difference("3", "pas", "only this")]
    rows += [difference("4", arm, "base") for arm in ("suffix", "pas")]
    write(tmp_path / "differences.jsonl", *rows)
    read = read_items(tmp_path)
    assert [item.id for item in read.items] == ["own / llm / 1", "own / llm / 2"]
    assert read.items[0].arms == {"none": "base", "suffix": "suffix 1", "pas": "pas 1"}
    assert (read.identical, read.incomplete) == (1, 1)


def test_a_sample_does_not_depend_on_the_order(tmp_path):
    items = some_items(50)
    one = read_items(write_items(tmp_path / "a.jsonl", items), sample=10).items
    other = read_items(write_items(tmp_path / "b.jsonl", items[::-1]), sample=10).items
    assert len(one) == 10
    assert one == other[::-1]
