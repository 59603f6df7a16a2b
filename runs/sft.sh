#!/usr/bin/env bash
# Fine-tuning shown: a base made here learns the intent bank's pairs; does what it writes fit prompts it never saw?
# Usage: runs/sft.sh [FOLDER [EPOCHS]]     (needs the extras cpu and trainer; about a quarter of an hour on one core)
set -euo pipefail
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1
out=${1:-build/sft}
python -m pas_trainer.nano_sft data "$out"
[ -f "$out/base/model.safetensors" ] || python -m pas_trainer.nano_sft base "$out" "$out/base"
# Of so small a model the paper's 2e-5 would leave hardly a trace.
pas train "$out/pairs.jsonl" "$out/train" --base "$out/base" --set "epochs=${2-6}" --set learning_rate=3e-3 \
  --set batch=32 --set by_length=true --set context=256 --set prompt_tokens=96 --set held_out=0.02 \
  --set gradient_checkpointing=false
python -m pas_trainer.nano_sft score "$out" "$out/train/checkpoint"
