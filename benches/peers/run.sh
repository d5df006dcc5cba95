#!/usr/bin/env bash
# Builds all servers and the load generator, and compares them; see the README.
#
#   run.sh [--quick] [--only ROW[/PEER]]... and so on: see `run.sh --help`
set -euo pipefail
cd "$(dirname "$0")"

# One by one: features of shared dependencies would meet in one build.
for server in servers/*/; do
  cargo build --quiet --release --locked -p "$(basename "$server")-server"
done
cargo build --quiet --release --locked -p harness
exec target/release/compare "$@"
