#!/usr/bin/env bash
# Fine-tuning shown: a base made here learns the intent bank's pairs; does what it writes fit prompts it never saw?
# Usage: runs/sft.sh [FOLDER [LANGUAGE [EPOCHS]]]     (needs the extras cpu and trainer; minutes on one core)
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-build/sft}
python -m pas_trainer.nano_sft data "$out" --language "${2-en}"
[ -f "$out/base/model.safetensors" ] || python -m pas_trainer.nano_sft base "$out/pairs.jsonl" "$out/base"
# Of so small a model the paper's 2e-5 would leave hardly a trace.
pas train "$out/pairs.jsonl" "$out/train" --base "$out/base" --set "epochs=${3-12}" --set learning_rate=3e-3 \
  --set batch=8 --set context=512 --set held_out=0.02 --set gradient_checkpointing=false
python -m pas_trainer.nano_sft score "$out" "$out/train/checkpoint"
