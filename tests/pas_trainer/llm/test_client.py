"""The client against a real server on loopback: what is kept, what is asked again, what ends a run."""

import itertools

import pytest

from pas_middleware.errors import ConfigError, InputError
from pas_trainer.llm import Budget, BudgetReached, Client, Endpoint, EndpointError, RowFailed, Store, each
from pas_trainer.llm.pace import Pace
from pas_trainer.testing import Faults, serve

HELLO = [{"role": "user", "content": "How do I boil an egg?"}]


def unhurried():
    """No waiting in tests: a clock that a sleep moves on."""
    clock = itertools.count(0, 0.001)
    return Pace(sleep=lambda seconds: None, clock=lambda: next(clock))


def endpoint(url, **settings):
    return Endpoint(**{"model": "scripted", "base_url": url, "timeout_s": 0.3, "concurrency": 4, **settings})


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "answers.sqlite") as opened:
        yield opened


def test_an_answer_is_paid_for_once(store):
    with serve("Boil it.") as server:
        client = Client(endpoint(server.url, usd_per_million_input=1, usd_per_million_output=2), store)
        first, second = client.ask("1", "generate", HELLO), client.ask("1", "generate", HELLO)
    assert first == second
    assert first.text == "Boil it."
    assert len(server.calls) == 1
    totals = store.totals()
    assert (totals.calls, totals.input_tokens, totals.output_tokens) == (1, 6, 2)
    assert totals.usd == pytest.approx(10e-6)
    assert totals.lost == 0


def test_another_model_row_stage_or_attempt_is_another_call(store):
    with serve("x", models=("scripted", "other")) as server:
        client = Client(endpoint(server.url), store)
        client.ask("1", "generate", HELLO)
        client.ask("2", "generate", HELLO)
        client.ask("1", "judge", HELLO)
        client.ask("1", "generate", HELLO, attempt=1)
        Client(endpoint(server.url, model="other"), store).ask("1", "generate", HELLO)
        Client(endpoint(server.url, temperature=1.0), store).ask("1", "generate", HELLO)
    assert len(server.calls) == 6


def test_answers_outlive_the_store(tmp_path):
    with serve("x") as server:
        for _ in range(2):
            with Store(tmp_path / "s.sqlite") as store:
                assert Client(endpoint(server.url), store).ask("1", "s", HELLO).text == "x"
    assert len(server.calls) == 1


def test_a_429_storm_of_200_loses_no_row(store):
    with serve("x", faults=[Faults("rate_limit", count=200)]) as server:
        client = Client(endpoint(server.url), store, pace=unhurried())
        done = list(each(range(20), lambda n: client.ask(str(n), "s", HELLO), concurrency=4, label="t", quiet=True))
    assert sorted(each.row for each in done) == list(range(20))
    assert all(each.value.text == "x" for each in done)
    assert server.stats() == {"calls": 220, "batches": 0, "rate_limit": 200, "answered": 20}
    assert store.totals().lost == 0


def test_timeouts_are_asked_again_and_counted_as_lost(store):
    with serve("x", faults=[Faults("timeout", count=2)]) as server:
        client = Client(endpoint(server.url, usd_per_million_output=1), store, pace=unhurried())
        assert client.ask("1", "s", HELLO).text == "x"
    totals = store.totals()
    assert (totals.calls, totals.lost) == (1, 2)
    assert client.budget.spent_usd == pytest.approx(totals.usd + totals.lost_usd)


@pytest.mark.parametrize(("fault", "least", "most"), [("overloaded", 7, 8.75), ("error", 0.25, 0.5)])
def test_a_5xx_is_asked_again_after_its_retry_after_else_soon(store, fault, least, most):
    now = [0.0]
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    with serve("x", faults=[Faults(fault, count=1)]) as server:
        server.retry_after_s = 7
        client = Client(endpoint(server.url), store, pace=Pace(sleep, lambda: now[0]))
        assert client.ask("1", "s", HELLO).text == "x"
    assert server.stats() == {"calls": 2, "batches": 0, fault: 1, "answered": 1}
    assert len(slept) == 1
    assert least <= slept[0] <= most


@pytest.mark.parametrize("fault", ["timeout", "truncated", "error"])
def test_a_row_that_gets_no_answer_fails_alone_and_is_asked_again(store, fault):
    reasons = {"timeout": "timeout", "truncated": "malformed_response", "error": "server_error"}
    with serve("x", faults=[Faults(fault, count=2)]) as server:
        client = Client(endpoint(server.url, retries=1), store, pace=unhurried())
        with pytest.raises(RowFailed) as failed:
            client.ask("1", "s", HELLO)
        assert failed.value.reason == reasons[fault]
        assert client.ask("1", "s", HELLO).text == "x"


@pytest.mark.parametrize(("fault", "problem"), [("empty", "empty"), ("refusal", "refused"), ("length", "truncated")])
def test_an_answer_with_a_problem_is_kept_as_such(store, fault, problem):
    with serve("x", faults=[Faults(fault, count=9)]) as server:
        client = Client(endpoint(server.url), store)
        assert [client.ask("1", "s", HELLO).problem for _ in range(2)] == [problem, problem]
    assert len(server.calls) == 1


@pytest.mark.parametrize(("fault", "problem"), [("too_long", "too_long"), ("filtered", "refused")])
def test_a_400_about_the_row_is_its_answer_and_costs_nothing(store, fault, problem):
    with serve("x", faults=[Faults(fault, count=1)]) as server:
        client = Client(endpoint(server.url, usd_per_million_input=1), store)
        assert client.ask("1", "s", HELLO).problem == problem
        assert client.ask("2", "s", HELLO).text == "x"
    assert (store.totals().lost, store.totals().calls) == (0, 2)


def test_a_setting_that_the_endpoint_refuses_is_named(store):
    with serve("x", faults=[Faults("bad_request", count=1)]) as server:
        with pytest.raises(RowFailed, match=r"unsupported_parameter, parameter max_tokens.*max_tokens_name") as failed:
            Client(endpoint(server.url), store).ask("1", "s", HELLO)
    assert failed.value.reason == "bad_request"


def test_an_empty_account_ends_the_run_at_once(store):
    with serve("x", faults=[Faults("quota", count=100)]) as server, pytest.raises(EndpointError, match="quota"):
        Client(endpoint(server.url), store).ask("1", "s", HELLO)
    assert len(server.calls) == 1


def test_a_wrong_key_ends_the_run_and_names_the_variable(store, monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-secret")
    with serve("x", key="right") as server:
        client = Client(endpoint(server.url, key_env="MY_KEY"), store)
        with pytest.raises(EndpointError, match="MY_KEY") as failed:
            client.ask("1", "s", HELLO)
    assert failed.value.reason == "wrong_key"
    assert "sk-secret" not in str(failed.value)
    assert store.totals().lost == 0


def test_no_key_is_said_before_anything_is_asked(store, monkeypatch):
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(ConfigError, match="NO_SUCH_KEY"):
        Client(Endpoint("m", base_url="https://api.example.org/v1", key_env="NO_SUCH_KEY"), store)


def test_an_unknown_model_is_named(store):
    with serve("x") as server, pytest.raises(EndpointError, match="'gpt-99'") as failed:
        Client(endpoint(server.url, model="gpt-99"), store).ask("1", "s", HELLO)
    assert failed.value.reason == "unknown_model"


def test_html_is_told_from_an_answer(store):
    with serve("x", faults=[Faults("html", count=1)]) as server, pytest.raises(EndpointError, match="/v1") as failed:
        Client(endpoint(server.url), store).ask("1", "s", HELLO)
    assert failed.value.reason == "html"


def test_an_endpoint_that_is_down_is_named(store):
    with serve("x") as server:
        pass
    with pytest.raises(EndpointError, match="cannot be reached") as failed:
        Client(endpoint(server.url, retries=1), store, pace=unhurried()).ask("1", "s", HELLO)
    assert failed.value.reason == "endpoint_down"
    assert store.totals().lost == 0


def test_a_storm_without_end_is_given_up(store):
    with serve("x", faults=[Faults("rate_limit", count=10_000)]) as server:
        client = Client(endpoint(server.url, patience_s=0.05), store, pace=unhurried())
        with pytest.raises(EndpointError) as failed:
            client.ask("1", "s", HELLO)
    assert failed.value.reason == "rate_limited"


def test_ten_failures_in_a_row_end_the_run(store):
    with serve("x", faults=[Faults("error", count=10_000)]) as server:
        client = Client(endpoint(server.url, retries=0), store, pace=unhurried())
        with pytest.raises(EndpointError, match="10 rows in a row") as failed:
            list(each(range(50), lambda n: client.ask(str(n), "s", HELLO), concurrency=2, label="t", quiet=True))
    assert failed.value.reason == "server_error"
    assert len(server.calls) < 50


def test_max_usd_is_never_passed_and_what_was_paid_for_stays(store):
    with serve("x" * 400) as server:
        priced = endpoint(server.url, usd_per_million_input=100, usd_per_million_output=1000, max_tokens=100)
        budget = Budget(store, max_usd=0.45)
        client = Client(priced, store, budget)
        with pytest.raises(BudgetReached, match="--max-usd"):
            list(each(range(50), lambda n: client.ask(str(n), "s", HELLO), concurrency=4, label="t", quiet=True))
        answered = len(server.calls)
        assert 1 <= answered <= 4
        assert store.totals().usd <= 0.45
        assert store.totals().calls == answered
        with pytest.raises(BudgetReached):  # the next run knows what the first has spent
            Client(priced, store, Budget(store, max_usd=0.45)).ask("another", "s", HELLO)


def test_a_budget_needs_prices(store):
    with pytest.raises(ConfigError, match="usd_per_million"):
        Client(endpoint("http://127.0.0.1:1/v1"), store, Budget(store, max_usd=1))


def test_two_runs_do_not_share_a_store(store):
    with pytest.raises(ConfigError, match="Another run"):
        Store(store.file)


def test_a_full_disk_is_said_before_paying(store, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with serve("x") as server, pytest.raises(InputError, match="are free") as failed:
        Client(endpoint(server.url), store).ask("1", "s", HELLO)
    assert failed.value.reason == "disk_full"
    assert server.calls == []


def test_a_file_that_is_no_store_is_named(tmp_path):
    (tmp_path / "s.sqlite").write_text("no database, though long enough to be looked at " * 40)
    with pytest.raises(InputError, match=r"s\.sqlite"):
        Store(tmp_path / "s.sqlite")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": ""}, "model"),
        ({"model": "m", "base_url": "api.example.org"}, "base_url"),
        ({"model": "m", "concurrency": 0}, "concurrency"),
        ({"model": "m", "timeout_s": float("nan")}, "timeout_s"),
        ({"model": "m", "retries": -1}, "retries"),
        ({"model": "m", "max_token": 5}, "max_token"),
        ({}, "model"),
    ],
)
def test_a_setting_out_of_range_is_named(settings, message):
    with pytest.raises(ConfigError, match=message):
        Endpoint.parse(settings)
