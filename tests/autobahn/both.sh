#!/usr/bin/env bash
# Runs the Autobahn suite against the bundled examples, first as server, then as client.
#
#   both.sh [--tokio] [--deflate] [CASE-GLOB...]
#
# The examples are echo and autobahn_client, or with --tokio echo_tokio and autobahn_client_tokio.
# Without globs: the 301 cases that need no compression (1.* to 7.*, 9.* and 10.*). --deflate
# starts both examples with --deflate and runs all 517 cases. A case passes when its verdict is
# OK or INFORMATIONAL, for its behaviour and for its closing; NON-STRICT does not pass. Exit
# status 0 when all cases passed in both roles. Environment: see run.sh; AUTOBAHN_JOBS is 2 here.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=tests/start-echo.sh
. "$here/../start-echo.sh"
reports=${AUTOBAHN_OUT:-$here/reports}
export AUTOBAHN_JOBS=${AUTOBAHN_JOBS:-2}

client_example=autobahn_client
if [ "${1:-}" = --tokio ]; then
  echo_example=echo_tokio client_example=autobahn_client_tokio reports=$reports/tokio
  shift
fi
extra=() cases=('1.*' '2.*' '3.*' '4.*' '5.*' '6.*' '7.*' '9.*' '10.*')
if [ "${1:-}" = --deflate ]; then
  extra=(--deflate) cases=()
  shift
fi
if [ $# -gt 0 ]; then cases=("$@"); fi

"$here/run.sh" setup
build_examples "$echo_example" "$client_example"
start_echo "${extra[@]}"

status=0
echo "Autobahn, $echo_example as server:"
AUTOBAHN_OUT=$reports/server AUTOBAHN_AGENT=fullduplex-server \
  "$here/run.sh" server "$echo_url" "${cases[@]}" || status=1
if ! echo_lives; then
  echo "both.sh: $echo_example did not survive the suite" >&2
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
echo "Autobahn, $client_example as client:"
# shellcheck disable=SC2016 # the URL differs for each process and is in its environment
AUTOBAHN_OUT=$reports/client AUTOBAHN_AGENT=fullduplex-client \
  "$here/run.sh" client "$first_port" "${cases[@]}" -- \
  sh -c 'exec "$0" "$AUTOBAHN_URL" "$@"' "$examples/$client_example" "${extra[@]}" || status=1
exit "$status"
