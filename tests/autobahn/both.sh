#!/usr/bin/env bash
# Runs the Autobahn suite against the bundled examples, first as server, then as client.
#
#   both.sh [--deflate] [CASE-GLOB...]
#
# Without globs: the 301 cases that need no compression (1.* to 7.*, 9.* and 10.*). --deflate
# starts both examples with --deflate and runs all 517 cases. A case passes when its verdict is
# OK or INFORMATIONAL, for its behaviour and for its closing; NON-STRICT does not pass. Exit
# status 0 when all cases passed in both roles. Environment: see run.sh; AUTOBAHN_JOBS is 2 here.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
target=${CARGO_TARGET_DIR:-$root/target}
reports=${AUTOBAHN_OUT:-$here/reports}
export AUTOBAHN_JOBS=${AUTOBAHN_JOBS:-2}

extra=() features=()
if [ "${1:-}" = --deflate ]; then
  extra=(--deflate) features=(--all-features)
  shift
fi
if [ $# -gt 0 ]; then
  cases=("$@")
elif [ ${#extra[@]} -gt 0 ]; then
  cases=()
else
  cases=('1.*' '2.*' '3.*' '4.*' '5.*' '6.*' '7.*' '9.*' '10.*')
fi

"$here/run.sh" setup
(cd "$root" && cargo build --quiet --release "${features[@]}" --example echo --example autobahn_client)

echo_pid=
out=$(mktemp)
finish() {
  if [ -n "$echo_pid" ]; then kill "$echo_pid" 2>/dev/null || true; fi
  rm -f "$out"
}
trap finish EXIT

"$target/release/examples/echo" 127.0.0.1:0 --quiet "${extra[@]}" >"$out" &
echo_pid=$!
url=
for _ in $(seq 100); do
  url=$(sed -n 's/^listening on \(ws:.*\)$/\1/p' "$out")
  [ -z "$url" ] || break
  kill -0 "$echo_pid" 2>/dev/null || { echo "both.sh: the echo example ended at once" >&2; exit 2; }
  sleep 0.1
done
[ -n "$url" ] || { echo "both.sh: the echo example does not say where it listens" >&2; exit 2; }

status=0
echo "== Autobahn: the crate as server"
AUTOBAHN_OUT=$reports/server AUTOBAHN_AGENT=fullduplex-server \
  "$here/run.sh" server "$url" "${cases[@]}" || status=1
if ! kill -0 "$echo_pid" 2>/dev/null; then
  echo "both.sh: the echo example did not survive the suite" >&2
  status=1
fi

# One port for each suite process, next to each other and below the range that the system hands
# out to outgoing connections, of which the suite makes hundreds.
first_port=$(python3 - "$AUTOBAHN_JOBS" <<'EOF'
import random, socket, sys

def free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

while True:
    port = random.randrange(10000, 30000)
    if all(free(port + i) for i in range(int(sys.argv[1]))):
        print(port)
        break
EOF
)
echo "== Autobahn: the crate as client"
# shellcheck disable=SC2016 # the URL differs for each process and is in its environment
AUTOBAHN_OUT=$reports/client AUTOBAHN_AGENT=fullduplex-client \
  "$here/run.sh" client "$first_port" "${cases[@]}" -- \
  sh -c 'exec "$0" "$AUTOBAHN_URL" "$@"' "$target/release/examples/autobahn_client" "${extra[@]}" ||
  status=1
exit "$status"
