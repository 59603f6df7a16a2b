#!/usr/bin/env bash
# Fine-tuning shown: a base made here, `pas train` on the intent bank's, and whether what it writes fits held-out prompts.
# Usage: runs/sft.sh [FOLDER [LANGUAGE]]     (needs the extras cpu and trainer; minutes on one core)
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-build/sft}
python -m pas_trainer.nano_sft data "$out" --language "${2-en}"
[ -f "$out/base/model.safetensors" ] || python -m pas_trainer.nano_sft base "$out/pairs.jsonl" "$out/base"
# Of so small a model the paper's 2e-5 would leave hardly a trace.
pas train "$out/pairs.jsonl" "$out/train" --base "$out/base" \
  --set epochs=4 --set learning_rate=3e-3 --set packing=true --set context=512 --set batch=1 --set accumulate=4 \
  --set held_out=0.02 --set gradient_checkpointing=false
python -m pas_trainer.nano_sft score "$out" "$out/train/checkpoint"
