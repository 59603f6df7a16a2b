"""Rows of every corpus and file become conversations; what cannot be read is reported with file and line."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import corpora
from pas_middleware.errors import ConfigError
from pas_trainer.curate.reading import Reading, read
from pas_trainer.sources import layout_of, rows_of_hub


def lines(file, *rows):
    file.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return str(file)


def prompts(source, **options):
    return read(Reading((str(source),), **options)).kept.to_pylist()


@pytest.mark.parametrize("name", corpora.SCHEMAS)
def test_thousands_of_rows_of_each_corpus_are_read_in_its_exact_schema(tmp_path, name):
    table = corpora.table(name, 2000)
    pq.write_table(table, tmp_path / "part.parquet")
    outcome = read(Reading((str(tmp_path),)))
    found, rows = outcome.kept.to_pylist(), table.to_pylist()
    assert len(outcome.rejected) == 0
    assert [row["prompt"] for row in found] == [row["conversation"][0]["content"] for row in rows]
    assert [row["origin"] for row in found] == [row.get("conversation_id") or row["conversation_hash"] for row in rows]
    toxic = [
        row["conversation"][0].get("toxic") or bool((row["openai_moderation"] or [{}])[0].get("flagged"))
        for row in rows
    ]
    assert [bool(row["unsafe"]) for row in found] == toxic
    assert 50 < sum(toxic) < 200
    assert [row["redacted"] for row in found] == [row["redacted"] for row in rows]
    assert {row["language"] for row in found} == {"en", "zh", "german"}


def test_a_corpus_without_any_word_on_safety_says_so(tmp_path):
    table = corpora.table("lmsys", 200)
    pq.write_table(table, tmp_path / "part.parquet")
    found = prompts(tmp_path)
    silent = [bool(row["openai_moderation"] is None) for row in table.to_pylist()]
    assert any(silent)
    assert [row["unsafe"] is None for row in found] == silent


def test_later_turns_come_with_their_history_on_request(tmp_path):
    pq.write_table(corpora.table("wildchat", 40), tmp_path / "part.parquet")
    found = prompts(tmp_path, turns="all")
    assert len(found) == 60
    later = next(row for row in found if row["id"].endswith(":2"))
    assert later["prompt"].startswith("And then, step")
    assert [turn["role"] for turn in json.loads(later["history"])] == ["user", "assistant"]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}], "model": "m"}, "U"),
        ({"custom_id": "1", "body": {"messages": [{"role": "user", "content": "U"}]}}, "U"),
        ({"request": {"messages": [{"role": "user", "content": [{"type": "text", "text": "U"}]}]}}, "U"),
        ({"instruction": "Do", "input": "this", "output": "done"}, "Do\n\nthis"),
        ({"instruction": "Do", "instances": [{"input": "this", "output": ""}]}, "Do\n\nthis"),
        ({"prompt": "P\u2028with a line separator"}, "P\u2028with a line separator"),
        ({"question": "Q"}, "Q"),
    ],
)
def test_logs_instructions_and_plain_columns(tmp_path, row, text):
    assert [found["prompt"] for found in prompts(lines(tmp_path / "log.jsonl", row))] == [text]


def test_csv_json_and_a_named_column(tmp_path):
    (tmp_path / "a.csv").write_text('\ufeffact,prompt\nx,"one\ntwo"\n', encoding="utf-8")
    (tmp_path / "b.json").write_text(json.dumps([{"prompt": "three"}]))
    assert [row["prompt"] for row in prompts(tmp_path)] == ["one\ntwo", "three"]
    assert [row["prompt"] for row in prompts(tmp_path / "a.csv", column="act")] == ["x"]


def test_more_rows_than_a_chunk_are_all_read(tmp_path):
    source = lines(tmp_path / "many.jsonl", *({"prompt": f"prompt {i}"} for i in range(20_005)))
    found = prompts(source)
    assert [row["prompt"] for row in found] == [f"prompt {i}" for i in range(20_005)]
    assert len({row["id"] for row in found}) == 20_005
    assert len(prompts(source, limit=10_001)) == 10_001


def test_broken_rows_are_reported_with_file_and_line_and_passed_over(tmp_path):
    source = lines(
        tmp_path / "log.jsonl", {"prompt": "good"}, '{"prompt": "bad \\x"}', "[1]", {"prompt": 7}, {"prompt": "end"}
    )
    outcome = read(Reading((source,)))
    assert outcome.kept.column("prompt").to_pylist() == ["good", "end"]
    details = outcome.rejected.column("detail").to_pylist()
    assert [detail.split(": ")[0] for detail in details] == [f"{source}, line {n}" for n in (2, 3, 4)]
    assert set(outcome.rejected.column("reason").to_pylist()) == {"broken_row"}
    with pytest.raises(ConfigError, match=r"log\.jsonl, line 2: no JSON"):
        read(Reading((source,), strict=True))


def test_broken_files_are_reported(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "b.json").write_text('[{"prompt": "x"}, ')
    lines(tmp_path / "c.jsonl", {"prompt": "good"})
    outcome = read(Reading((str(tmp_path),)))
    assert outcome.kept.column("prompt").to_pylist() == ["good"]
    assert len(outcome.rejected) == 2


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ('{"prompt": "x"}', {"column": "text"}, r"no column 'text'; there are prompt"),
        ('{"a": 1}', {}, r"No prompts are recognised in the columns a; name one with --column"),
        ("", {}, r"in\.jsonl holds no prompts"),
        ("broken", {}, r"holds no prompts, the first fault: .*line 1"),
    ],
)
def test_unusable_sources_are_refused(tmp_path, content, options, message):
    (tmp_path / "in.jsonl").write_text(content)
    with pytest.raises(ConfigError, match=message):
        read(Reading((str(tmp_path / "in.jsonl"),), **options))


def test_an_absent_source_a_folder_without_data_and_one_given_twice_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="There is no absent"):
        read(Reading(("absent",)))
    with pytest.raises(ConfigError, match="holds no data"):
        read(Reading((str(tmp_path),)))
    source = lines(tmp_path / "in.jsonl", {"prompt": "x"})
    with pytest.raises(ConfigError, match="given twice"):
        read(Reading((source, source)))


def test_a_gated_dataset_says_how_to_get_access(monkeypatch):
    import datasets

    def refuse(*_, **__):
        raise datasets.exceptions.DatasetNotFoundError("Dataset 'lmsys/lmsys-chat-1m' is a gated dataset on the Hub.")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(ConfigError, match=r"gated dataset.*accept its terms.*HF_TOKEN"):
        list(rows_of_hub("lmsys/lmsys-chat-1m", "train"))


def test_a_hub_that_fails_on_the_way_is_named(monkeypatch):
    import datasets

    def rows(*_, **__):
        yield {"prompt": "one"}
        raise ConnectionError("the line is dead")

    monkeypatch.setattr(datasets, "load_dataset", rows)
    with pytest.raises(ConfigError, match=r"some/set, split 'train', cannot be read: the line is dead"):
        list(rows_of_hub("some/set", "train"))


def test_hub_rows_are_read_as_those_of_a_file(monkeypatch):
    import datasets

    table = corpora.table("lmsys", 30)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: iter(table.to_pylist()))
    assert len(prompts("hub:lmsys/lmsys-chat-1m", limit=20)) == 20


def test_the_shape_is_told_by_the_columns():
    assert layout_of(corpora.LMSYS.names).name == "lmsys"
    assert {layout_of(corpora.SCHEMAS[n].names).name for n in ("wildchat", "wildchat_4_8m")} == {"wildchat"}
    assert pa.types.is_list(corpora.WILDCHAT.field("openai_moderation").type)
