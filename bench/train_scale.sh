#!/usr/bin/env bash
# How `rung train` scales: makes a synthetic outcomes table of each size, trains on it, and prints seconds and peak memory.
# With --split it also runs `rung split`, which reads the whole table and writes it again.
#
#   bench/train_scale.sh [--arms 12] [--topics 24] [--most-words 400] [--missing 0] [--seed 1] [--split] [--build build/release] [ROWS...]
#
# ROWS are 10000 100000 1000000 unless given. Needs python3, a build with RUNG_BENCH, and 2 to 4 KB of disk per row in $TMPDIR,
# given back at the end. RUNG_THREADS=2 holds it to two threads.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
command_line="${RUNG_THREADS:+RUNG_THREADS=$RUNG_THREADS }bench/train_scale.sh $*"
build=$root/build/release shape=() rows=() split=no
while [ $# -gt 0 ]; do
  case $1 in
    --arms | --topics | --most-words | --missing | --seed) shape+=("$1" "$2"); shift ;;
    --build) build=$(cd "$2" && pwd); shift ;;
    --split) split=yes ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *[!0-9]* | "") echo "train_scale: '$1' is neither an option nor a number of rows" >&2; exit 2 ;;
    *) rows+=("$1") ;;
  esac
  shift
done
[ ${#rows[@]} -gt 0 ] || rows=(10000 100000 1000000)
for program in "$build/rung" "$build/bench/make_outcomes"; do
  [ -x "$program" ] ||
    { echo "train_scale: $program is missing; build it: cmake --preset release && cmake --build --preset release" >&2; exit 2; }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

echo "$command_line"
echo "commit $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)$(git -C "$root" diff --quiet HEAD 2>/dev/null || echo ' with changes'), $(date -u +%F), $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores, Linux $(uname -r)"
printf '%-6s %9s %9s %9s %9s %9s %12s\n' "" rows "MB" seconds "CPU s" "peak MiB" "s/1000 rows"
measure() { # name rows file command... -> one line of the table; what the command says goes to $work/said
  python3 - "$@" 2>"$work/said" <<'END' || { cat "$work/said" >&2; exit 1; }
import os, sys, time
name, rows, file, *command = sys.argv[1:]
begin = time.monotonic()
pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, used = os.wait4(pid, 0)
seconds = time.monotonic() - begin
if status != 0:
    sys.exit(f"train_scale: {' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
print(f"{name:<6} {int(rows):>9} {os.path.getsize(file) / 1e6:>9.0f} {seconds:>9.1f} {used.ru_utime + used.ru_stime:>9.1f}"
      f" {used.ru_maxrss / 1024:>9.0f} {1000 * seconds / int(rows):>12.3f}", flush=True)
END
}
for n in "${rows[@]}"; do
  "$build/bench/make_outcomes" --rows "$n" "${shape[@]}" --out "$work/outcomes.jsonl"
  measure train "$n" "$work/outcomes.jsonl" "$build/rung" train --outcomes "$work/outcomes.jsonl" --out "$work/router.safetensors"
  [ $split = no ] || measure split "$n" "$work/outcomes.jsonl" "$build/rung" split --outcomes "$work/outcomes.jsonl" \
    --train "$work/train.jsonl" --test "$work/test.jsonl"
done
