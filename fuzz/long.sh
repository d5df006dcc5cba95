#!/usr/bin/env bash
# Runs a fuzz target RUNS times and adds what it found to the committed corpus:
#
#   fuzz/long.sh TARGET RUNS [MAX_LEN]
#
# Without the address sanitizer, which finds nothing in a crate without `unsafe`, and without tracing
# comparisons and weighing inputs, which take more than half of the time: for these, run the target
# as the README says.
set -euo pipefail
cd "$(dirname "$0")/.."
target=$1 runs=$2 max_len=${3:-256} corpus=fuzz/corpus/$1
[ -d "$corpus" ] || fuzz/corpus.py unpack "$target" "$corpus"
nice -n 15 cargo +nightly fuzz run -s none --no-trace-compares --target-dir fuzz/target/fast \
  "$target" "$corpus" "tests/seeds/$target" -- \
  -runs="$runs" -max_len="$max_len" -entropic=0 -reduce_inputs=0 -timeout=60 \
  -dict=fuzz/fullduplex.dict -print_final_stats=1
cargo +nightly fuzz cmin -s none "$target" "$corpus"
fuzz/corpus.py pack "$target" "$corpus"
