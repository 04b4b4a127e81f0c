#!/usr/bin/env bash
# 100,000 requests over every kind of upstream fault, then the books are compared: what clients saw, the ledger, the upstream's
# own bill, descriptors and memory.
#
#   bench/fault_run.sh [--requests 100000] [--connections 64] [--seed 1] [--build build/release]
#
# Needs a build and python3. Everything listens on loopback and ends here. Exit 1 and a sentence for each thing that does not agree.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
command_line="bench/fault_run.sh $*"
requests=100000 connections=64 seed=1 build=$root/build/release
while [ $# -gt 0 ]; do
  case $1 in
    --requests) requests=$2 ;; --connections) connections=$2 ;; --seed) seed=$2 ;; --build) build=$(cd "$2" && pwd) ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "fault_run: unknown option '$1'" >&2; exit 2 ;;
  esac
  shift 2
done
[ -x "$build/rung" ] || { echo "fault_run: $build/rung is missing; build it: cmake --preset release && cmake --build --preset release" >&2; exit 2; }
echo "$command_line"
echo "commit $(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)$(git -C "$root" diff --quiet HEAD 2>/dev/null || echo ' with changes'), $(date -u +%F), $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1), $(nproc) cores, Linux $(uname -r)"
RUNG_BIN=$build/rung exec python3 "$root/tests/fault_run.py" --requests "$requests" --connections "$connections" --seed "$seed"
