#!/usr/bin/env bash
# The whole chain on a CPU, in minutes: train a small model from scratch, export it, check it, ask it.
# Usage: runs/nano.sh [FOLDER]     (needs the extras cpu, trainer and export)
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-build/nano}
mkdir -p "$out"
python -m pas_trainer.nano train "$out/checkpoint"
for precision in fp32 int8; do
  rm -rf "$out/$precision"
  python -m pas_trainer.export "$out/checkpoint" "$out/$precision" --precision "$precision" --name pas-nano
  python -m pas_trainer.nano check "$out/$precision"
done
pas augment --model "$out/int8" --stream "How do I get my team to give honest feedback?"
