# shellcheck shell=bash
# Sourced by the scripts that test the echo examples from outside; not a script of its own.
#
#   start_echo [--deflate]    builds and starts the example $echo_example (echo, unless set after
#                             this is sourced) on a port that the system chooses; sets echo_url,
#                             and ends the example when the calling script ends
#   echo_lives                does it still run?

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
examples=${CARGO_TARGET_DIR:-$root/target}/release/examples
echo_example=echo
echo_pid='' echo_says=''

build_examples() { # NAME... ; with all features, so that every script shares one build
  local name selected=()
  for name in "$@"; do selected+=(--example "$name"); done
  (cd "$root" && cargo build --quiet --release --all-features "${selected[@]}")
}

start_echo() {
  build_examples "$echo_example"
  echo_says=$(mktemp)
  trap end_echo EXIT
  "$examples/$echo_example" 127.0.0.1:0 --quiet "$@" >"$echo_says" &
  echo_pid=$!
  local _
  for _ in $(seq 100); do
    echo_url=$(sed -n 's/^listening on \(ws:.*\)$/\1/p' "$echo_says")
    [ -z "$echo_url" ] || return 0
    echo_lives || { echo "the example $echo_example ended at once" >&2; exit 2; }
    sleep 0.1
  done
  echo "the example $echo_example does not say where it listens" >&2
  exit 2
}

echo_lives() { kill -0 "$echo_pid" 2>/dev/null; }

end_echo() {
  if [ -n "$echo_pid" ]; then kill "$echo_pid" 2>/dev/null || true; fi
  if [ -n "$echo_says" ]; then rm -f "$echo_says"; fi
}
