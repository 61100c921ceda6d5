#!/usr/bin/env bash
# Kills training with SIGKILL at random moments ten times, resumes each time, and compares the final
# weights with an uninterrupted run: they must be the same bytes.
# usage: resume_test.sh PLATEFORGE FOLDER_WITH_CROPS
set -euo pipefail
plateforge=$1 crops=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/tiny.yaml" <<YAML
data: {train: "crops:$crops", val_fraction: 0.2, recombine: 0.3, batch_size: 8, epoch_samples: 64, workers: 2}
augment: {ops: [{op: corner_jitter, probability: 1.0}, {op: contrast, probability: 1.0}]}
model: {width_multiplier: 0.25, dropout: 0.5}
optim: {lr: 1.0e-3, schedule: plateau, plateau_patience: 50, ema_decay: 0.9}
train: {steps: 400, eval_every: 60, log_every: 7, checkpoint_every: 10}
YAML

"$plateforge" train --config "$work/tiny.yaml" --run "$work/whole" > "$work/whole.log" 2>&1

resume=()
kills=0
until [ "$kills" -eq 10 ]; do
  setsid "$plateforge" train ${resume[@]+"${resume[@]}"} --run "$work/killed" \
    $([ ${#resume[@]} -eq 0 ] && echo --config "$work/tiny.yaml") >> "$work/killed.log" 2>&1 &
  sleep "$(awk -v r=$RANDOM 'BEGIN {printf "%.2f", 0.9 + r / 32768 * 1.2}')"
  kill -KILL $! 2>/dev/null || break   # already finished: fewer kills than asked for
  wait $! 2>/dev/null || true
  kills=$((kills + 1))
  [ -e "$work/killed/checkpoints/last.safetensors" ] && resume=(--resume) || { rm -rf "$work/killed"; resume=(); }
done
[ "$kills" -ge 3 ] || { echo "the run ended after $kills kills: too quick to test resume"; exit 1; }
[ ${#resume[@]} -gt 0 ] || { cat "$work/killed.log"; echo "no checkpoint survived"; exit 1; }
"$plateforge" train --run "$work/killed" --resume >> "$work/killed.log" 2>&1

cmp "$work/whole/checkpoints/last.safetensors" "$work/killed/checkpoints/last.safetensors"
cmp "$work/whole/model.safetensors" "$work/killed/model.safetensors"
echo "$kills kills, same bytes"
