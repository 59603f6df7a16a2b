"""The scores against the leaderboards that were published, from their raw judgements."""

import sys
import types
from collections import defaultdict
from importlib.machinery import ModuleSpec

import pytest
import sklearn

from pas_trainer.evaluate import alpaca, arena, fits
from published import table

pytestmark = pytest.mark.shared
BASELINE = "gpt4_1106_preview"


@pytest.fixture(scope="module")
def judged(published):
    rows = defaultdict(list)
    for row in table(published / "alpaca_eval" / "dev_12models.csv.gz"):
        rows[row["model"]].append(row)
    return rows


@pytest.fixture(scope="module")
def leaderboard(published):
    return {row[""]: row for row in table(published / "alpaca_eval" / "dev_12models_published.csv")}


@pytest.fixture(scope="module")
def controls(published):
    return alpaca.Controls.read(published / "alpaca_eval" / "df_gamed_equivalent.csv")


def controlled(rows, controls):
    return alpaca.length_controlled(
        alpaca.from_upstream([float(r["preference"]) for r in rows]),
        [int(r["len_baseline"]) for r in rows],
        [int(r["len_model"]) for r in rows],
        controls,
    )


def test_win_rates_equal_the_leaderboards(judged, leaderboard):
    assert len(judged) == 12
    for model, rows in judged.items():
        found = alpaca.win_rate(alpaca.from_upstream([float(r["preference"]) for r in rows]))
        wanted = leaderboard[model]
        assert found.win_rate == pytest.approx(float(wanted["win_rate"]), abs=1e-6), model
        assert found.standard_error == pytest.approx(float(wanted["standard_error"]), abs=1e-6), model
        assert found.discrete == pytest.approx(float(wanted["discrete_win_rate"]), abs=1e-6), model
        assert found.n == int(wanted["n_total"])


def test_length_controlled_rates_equal_the_leaderboards(judged, leaderboard, controls):
    for model in set(judged) - {BASELINE}:
        wanted = float(leaderboard[model]["length_controlled_winrate"])
        assert controlled(judged[model], controls).value == pytest.approx(wanted, abs=0.2), model


@pytest.fixture
def package(monkeypatch):
    """The package's own module; it asks pkg_resources, which may be gone, for version numbers only."""
    stub = types.ModuleType("pkg_resources")
    stub.__spec__ = ModuleSpec("pkg_resources", None)
    monkeypatch.setitem(sys.modules, "pkg_resources", stub)
    with sklearn.config_context():
        yield pytest.importorskip("alpaca_eval.metrics.glm_winrate")


def test_our_fit_equals_the_packages(judged, controls, package):
    for model in set(judged) - {BASELINE}:
        found = controlled(judged[model], controls)
        theirs = alpaca.LengthControlled(found.design, fits.package_fit(found.design), found.n)
        own = alpaca.LengthControlled(found.design, fits.own_fit(found.design), found.n)
        assert own.value == pytest.approx(theirs.value, abs=0.02), model


def test_our_features_equal_the_packages(judged, controls, package, monkeypatch, published):
    """From texts to the rate, by the package itself on the same inputs; only its download is replaced."""
    path = published / "alpaca_eval" / "df_gamed_equivalent.csv"
    monkeypatch.setattr(package, "hf_hub_download", lambda **_: str(path))
    rows = judged["gpt-3.5-turbo-1106_concise"]
    annotations = [
        {
            "preference": float(r["preference"]),
            "output_1": "x" * int(r["len_baseline"]),
            "output_2": "x" * int(r["len_model"]),
            "generator_1": BASELINE,
            "generator_2": r["model"],
        }
        for r in rows
    ]
    theirs = package.get_length_controlled_winrate(annotations, save_weights_dir=None)["length_controlled_winrate"]
    assert controlled(rows, controls).value == pytest.approx(theirs, abs=0.02)


@pytest.fixture(scope="module")
def games(published):
    found = defaultdict(list)
    for row in table(published / "ko_arena_hard" / "dev_19models.csv.gz"):
        verdicts = [{"id": row["question_id"], "game": n, "verdict": row[f"game{n}"]} for n in (1, 2)]
        found[row["model"]] += arena.games_of(verdicts)
    return found


def test_bradley_terry_equals_the_published(games, published):
    wanted = {row["model"]: row for row in table(published / "ko_arena_hard" / "dev_19models_published.csv")}
    found = arena.leaderboard(games)
    assert len(found) == 19
    for model, interval in found.items():
        assert interval.value == pytest.approx(float(wanted[model]["score"]), abs=0.01), model
        assert interval.low == pytest.approx(float(wanted[model]["rating_q025"]), abs=2), model
        assert interval.high == pytest.approx(float(wanted[model]["rating_q975"]), abs=2), model


def test_our_interval_is_the_wider_one(games):
    """It draws questions and anchors every draw at the baseline."""
    theirs = arena.leaderboard(games)
    for model, mine in games.items():
        found = arena.scored(mine)
        low, high = found.ends
        assert low < found.value < high
        assert high - low > theirs[model].high - theirs[model].low, model
