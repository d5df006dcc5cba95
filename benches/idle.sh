#!/usr/bin/env bash
# How much memory of the server's process an idle connection takes: the example echo_tokio, and beside
# it a tokio task that echoes bytes.
#
#   idle.sh [CONNECTIONS]     10,000 unless told otherwise
set -euo pipefail
cd "$(dirname "$0")/.."

connections=${1:-10000}
built=${CARGO_TARGET_DIR:-target}/release
ulimit -n $((connections + 1000)) # for each of the two processes

cargo build --quiet --release --features tokio --example echo_tokio
cargo build --quiet --release -p fullduplex-benches --bin idle --bin raw_echo
"$built/idle" "$built/examples/echo_tokio" "$connections"
"$built/idle" --raw "$built/raw_echo" "$connections"
