#!/usr/bin/env bash
# How many system calls the example echo_tokio makes for a message, with 64 messages of 16 bytes under
# way on each of 16 connections. Needs strace.
#
#   syscalls.sh [ROUNDS]      of 1024 messages; 500 unless told otherwise
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-500}
built=${CARGO_TARGET_DIR:-target}/release
command -v strace >/dev/null || { echo "syscalls.sh: strace is missing" >&2; exit 2; }

cargo build --quiet --release --features tokio --example echo_tokio
cargo build --quiet --release -p fullduplex-benches --bin pipelined
work=$(mktemp -d)
strace -f -c -o "$work/calls" "$built/examples/echo_tokio" 127.0.0.1:0 --quiet >"$work/says" &
strace_pid=$!
trap 'kill -KILL "$strace_pid" 2>/dev/null || true; rm -rf "$work"' EXIT
url=
for _ in $(seq 100); do
  url=$(sed -n 's/^listening on \(ws:.*\)$/\1/p' "$work/says")
  [ -z "$url" ] || break
  sleep 0.1
done
messages=$("$built/pipelined" "$url" "$rounds")
kill -INT "$(pgrep -P "$strace_pid")"
wait "$strace_pid"
head -n 12 "$work/calls"
awk -v messages="$messages" '$NF == "total" {
  printf "%d calls for %d messages: %.4f for each\n", $4 ~ /^[0-9]+$/ ? $4 : $3, messages,
    ($4 ~ /^[0-9]+$/ ? $4 : $3) / messages
}' "$work/calls"
