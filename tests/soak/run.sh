#!/usr/bin/env bash
# 10,000 idle and 1,000 active connections against the examples echo_tokio and echo_mio, on this
# machine: no errors, and the servers' memory flat within 5 %.
#
#   run.sh [SECONDS] [ARGUMENT...]     600 unless told otherwise, for each of the two
#
# Arguments go to `soak`, which see, and through it to the servers: --idle N, --active N, --deflate.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${1:-600}
shift || true
built=${CARGO_TARGET_DIR:-target}/release
ulimit -n "$(ulimit -H -n)" # for each of the two processes

cargo build --quiet --locked --release --features tokio,deflate --example echo_tokio --example echo_mio
cargo build --quiet --locked --release -p fullduplex-benches --bin soak
for server in echo_tokio echo_mio; do
  "$built/soak" "$seconds" "$built/examples/$server" "$@"
done
