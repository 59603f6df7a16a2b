"""Settings: the paper's where nobody says otherwise, and a name for whatever is wrong."""

import pytest

from pas_middleware.errors import ConfigError
from pas_trainer.sft.settings import TrainSettings, read_settings


def test_defaults_are_the_papers():
    settings = TrainSettings()
    assert (settings.epochs, settings.rate, settings.context) == (2.0, 2e-5, 4096)
    assert settings.base.startswith("Qwen/Qwen2")


def test_changes_go_over_the_file(tmp_path):
    (tmp_path / "train.yaml").write_text("epochs: 3\nbatch: 4\npacking: true\n")
    settings = read_settings(tmp_path / "train.yaml", ["epochs=1", "learning_rate=1e-3"])
    assert (settings.epochs, settings.batch, settings.packing, settings.rate) == (1.0, 4, True, 1e-3)


def test_dpo_learns_more_slowly():
    assert read_settings(None, ["objective=dpo"]).rate == 5e-7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", r"unknown setting 'epoch'; known: base, objective"),
        ("epochs: many", r"epochs is 'many'"),
        ("epochs: 0", r"epochs is 0\.0; it must be above 0"),
        ("held_out: 0.9", r"held_out is 0\.9; use 0 to 0\.5"),
        ("method: lora8", r"method is 'lora8'"),
        ("steps: -1", r"is below 0"),
        ("- epochs", r"holds no mapping"),
        ("a: [", r"cannot be read as YAML"),
    ],
)
def test_bad_settings_are_named(tmp_path, text, message):
    (tmp_path / "train.yaml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_settings(tmp_path / "train.yaml", [])


def test_file_that_is_not_there_and_change_without_a_sign(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml is not there"):
        read_settings(tmp_path / "none.yaml", [])
    with pytest.raises(ConfigError, match=r"--set 'epochs' has no '='"):
        read_settings(None, ["epochs"])
