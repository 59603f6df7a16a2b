"""The data set for LLaMA-Factory holds every training pair, in its own form."""

import json

import yaml
from typer.testing import CliRunner

from pas_trainer.sft.command import FSDP, app


def test_pairs_are_written_as_a_data_set(pairs_file, tmp_path):
    done = CliRunner().invoke(
        app, [str(pairs_file), "unused", "--llama-factory", str(tmp_path), "--set", "held_out=0", "--base", "b"]
    )
    assert done.exit_code == 0, done.output
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    rows = json.loads((tmp_path / info["pas_pairs"]["file_name"]).read_text())
    source = [json.loads(line) for line in pairs_file.read_text().splitlines()]
    assert {(row["instruction"], row["output"]) for row in rows} == {(r["prompt"], r["complement"]) for r in source}
    assert info["pas_pairs"]["columns"] == {"prompt": "instruction", "response": "output"}
    ranked = json.loads((tmp_path / info["pas_pairs_dpo"]["file_name"]).read_text())
    assert info["pas_pairs_dpo"]["ranking"] is True
    assert {row["rejected"] for row in ranked} == {r["bad_complement"] for r in source if r.get("bad_complement")}
    config = yaml.safe_load((tmp_path / "train.yaml").read_text())
    assert (config["num_train_epochs"], config["learning_rate"], config["cutoff_len"]) == (2.0, 2e-5, 4096)


def test_fsdp_configuration_ships_and_loads():
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.utils import DistributedType

    printed = CliRunner().invoke(app, ["--fsdp-config"])
    assert printed.output.strip() == str(FSDP)
    config = load_config_from_file(str(FSDP))
    assert config.distributed_type == DistributedType.FSDP
    assert config.fsdp_config["fsdp_state_dict_type"] == "FULL_STATE_DICT"
