#!/usr/bin/env bash
# Builds all servers and the load generator, and compares them; see the README. Needs two cores and
# an otherwise idle machine.
#
#   run.sh                            everything, and writes ../RESULTS.md and ../results; some 30 minutes
#   run.sh [--quick] [--rounds N] [--milliseconds N] [--only ROW[/PEER]]... [--report FOLDER]
#                                     prints what was measured, of rows and peers with these in their names
#   run.sh --list                     the rows and who takes part
#   run.sh --render                   ../RESULTS.md and the pictures again, from ../results/samples.json
set -euo pipefail
cd "$(dirname "$0")"

# One by one: features of shared dependencies would meet in one build.
for server in servers/*/; do
  cargo build --quiet --release --locked -p "$(basename "$server")-server"
done
cargo build --quiet --release --locked -p harness

case "$*" in
  "") exec target/release/compare --report .. ;;
  --render) exec target/release/compare --render .. ;;
  *) exec target/release/compare "$@" ;;
esac
