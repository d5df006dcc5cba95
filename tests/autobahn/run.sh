#!/usr/bin/env bash
# Runs the Autobahn WebSocket TestSuite against a server or a client and turns
# its report into one summary line and an exit status.
#
#   run.sh setup
#   run.sh list   [CASE-GLOB...]
#   run.sh server ws://127.0.0.1:PORT[/PATH] [CASE-GLOB...]
#   run.sh client PORT [CASE-GLOB...] [-- COMMAND [ARG...]]
#
# server  The server under test is already running (or comes up within
#         AUTOBAHN_WAIT seconds) and echoes every text and binary message.
# client  Starts a fuzzing server on 127.0.0.1:PORT. The client under test asks
#         /getCaseCount for N, then for I in 1..N connects to
#         /runCase?case=I&agent=NAME and echoes until the connection ends, and
#         last connects to /updateReports?agent=NAME. COMMAND is run with
#         AUTOBAHN_URL and AUTOBAHN_AGENT in its environment; without COMMAND
#         the script waits for some client to ask for /updateReports.
#
# Case globs are quoted shell patterns such as '1.*' '9.*' '12.1.*' '12.*.1[3-8]'
# or plain ids; none means the whole suite. A glob that matches no case is an
# error. The suite has 517 cases: 1.* to 7.* (16 11 7 10 20 145 37), 9.* (54),
# 10.* (1), 12.* (90) and 13.* (126). Nearly all of its time goes to the long
# messages of 12.* and 13.*; without them 409 cases take about a tenth of it:
#   AUTOBAHN_EXCLUDE='1[23].*.[89] 1[23].*.10 1[23].*.1[3-8]'
#
# Environment:
#   AUTOBAHN_VENV     directory to install into (default: venv beside this script)
#   AUTOBAHN_OUT      directory for reports     (default: reports beside it)
#   AUTOBAHN_AGENT    name of the peer in reports (default: testee)
#   AUTOBAHN_EXCLUDE  blank-separated case globs to leave out
#   AUTOBAHN_ALLOW    more verdicts to accept, e.g. "NON-STRICT"
#   AUTOBAHN_JOBS     number of suite processes to spread the cases over (1).
#                     In client mode they listen on PORT, PORT+1, ... and
#                     COMMAND is run once for each.
#   AUTOBAHN_TIMEOUT  seconds after which a run is ended and judged (1800)
#   AUTOBAHN_WAIT     seconds to wait for a port to open (30)
#   AUTOBAHN_HTML     1 = write the HTML reports too (JSON is always written)
#   AUTOBAHN_PYTHON2  Python 2.7 or PyPy 2.7 interpreter to use
#   AUTOBAHN_FETCH    0 = never fetch PyPy 2.7 from Debian when there is none
#
# Exit status: 0 every selected case ran and has an accepted verdict (OK or
# INFORMATIONAL) for its behaviour and for its closing; 1 some case has not, or
# did not run; 2 usage, set-up or start-up failed.
set -euo pipefail

say() { printf 'autobahn: %s\n' "$*" >&2; }
die() { say "$*"; exit 2; }
usage() { sed -n '2,/^set -/{/^set -/d;s/^# \{0,1\}//;p;}' "$0" >&2; exit 2; }

HERE=$(cd "$(dirname "$0")" && pwd -P)
absolute() { mkdir -p "$1" && (cd "$1" && pwd -P); }

# ---------------------------------------------------------------- set-up ----

SUITE_VERSION=25.10.1
VIRTUALENV_PIN='virtualenv==20.21.1'      # newest line that makes 2.7 venvs
# Installed in this order with --no-deps: Twisted's build looks for incremental
# and would otherwise fetch one that does not run on Python 2.7.
PINS_FIRST='typing==3.10.0.0 incremental==16.10.1 six==1.16.0'
PINS_THEN="zope.interface==4.6.0 constantly==15.1.0 attrs==21.4.0 idna==2.10
  hyperlink==21.0.0 MarkupSafe==1.1.1 Jinja2==2.11.3 linecache2==1.0.0
  traceback2==1.4.0 unittest2==1.1.0 Twisted==19.10.0 txaio==2.1.0
  autobahn==0.10.9 autobahntestsuite==$SUITE_VERSION"
PINS_CPYTHON='wsaccel==0.6.6'             # C code; PyPy does well without

is_python2() { # is $1 an interpreter of Python 2.7 that can hold the suite?
  [ -n "${1:-}" ] && "$1" -c 'import sys, zlib, hashlib, json, os, sysconfig
have = os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h"))
sys.exit(sys.version_info[:2] != (2, 7) or not have)' >/dev/null 2>&1
}

find_python2() {
  local c pyenv_root
  if [ -n "${AUTOBAHN_PYTHON2:-}" ]; then printf '%s\n' "$AUTOBAHN_PYTHON2"; return; fi
  pyenv_root=${PYENV_ROOT:-$HOME/.pyenv}
  for c in "$(command -v python2.7 || true)" "$pyenv_root"/versions/2.7.*/bin/python2.7 \
           "$(command -v pypy || true)" "$pyenv_root"/versions/pypy2.7-*/bin/pypy; do
    is_python2 "$c" && { printf '%s\n' "$c"; return; }
  done
  return 1
}

fetch_pypy() { # unpack Debian 11's PyPy 2.7 below $1; needs apt-get and dpkg
  local d=$1/debian key site
  [ "${AUTOBAHN_FETCH:-1}" != 0 ] || return 1
  command -v apt-get >/dev/null && command -v dpkg >/dev/null || return 1
  key=/usr/share/keyrings/debian-archive-keyring.gpg
  [ -r "$key" ] || { say "package debian-archive-keyring is missing"; return 1; }
  rm -rf "$d"; mkdir -p "$d"/{state/lists/partial,cache/archives/partial,debs,root}
  : >"$d/state/status"
  # shellcheck disable=SC2016 # apt-get's own variable
  site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 '/debian$') || return 1
  echo "deb [signed-by=$key] $site bullseye main" >"$d/sources.list"
  cat >"$d/apt.conf" <<EOF
Dir::State "$d/state";
Dir::State::status "$d/state/status";
Dir::Cache "$d/cache";
Dir::Etc::sourcelist "$d/sources.list";
Dir::Etc::sourceparts "-";
APT::Sandbox::User "$(id -un)";
EOF
  (cd "$d/debs" && export APT_CONFIG=$d/apt.conf &&
    apt-get -qq update && apt-get -qq download pypy pypy-lib pypy-dev libffi7 libssl1.1) >&2 || return 1
  local deb; for deb in "$d"/debs/*.deb; do dpkg -x "$deb" "$d/root"; done
  rm -rf "$d/state" "$d/cache" "$d/debs"
  local libs; libs=$(dirname "$(find "$d/root" -name 'libssl.so.1.1' | head -n 1)")
  printf '%s\n' "$libs" >"$d/libs"
}

setup() {
  local stamp want python2 libs='' impl
  stamp=$VENV/.installed
  want=$(printf '%s\n' "$PINS_FIRST" "$PINS_THEN" "$PINS_CPYTHON" "${AUTOBAHN_PYTHON2:-}" | cksum)
  if [ -x "$VENV/py" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$want" ]; then return; fi
  command -v python3 >/dev/null || die "python3 is needed to set up"
  command -v cc >/dev/null || die "a C compiler (cc) is needed to set up"
  if [ -n "${AUTOBAHN_PYTHON2:-}" ]; then
    is_python2 "$AUTOBAHN_PYTHON2" || die "$AUTOBAHN_PYTHON2 is not a Python 2.7 with its C headers"
  fi
  say "installing the suite into $VENV"
  if ! python2=$(find_python2); then
    say "no Python 2.7 here; fetching PyPy 2.7 from Debian 11"
    fetch_pypy "$VENV" || die "no Python 2.7: set AUTOBAHN_PYTHON2"
    python2=$VENV/debian/root/usr/bin/pypy
    libs=$(cat "$VENV/debian/libs")
  fi
  rm -rf "${VENV:?}/boot" "$VENV/suite" "$stamp"
  python3 -m venv "$VENV/boot" || die "python3 -m venv failed (package python3-venv?)"
  "$VENV/boot/bin/pip" -q --disable-pip-version-check install "$VIRTUALENV_PIN" >&2
  (
    if [ -n "$libs" ]; then export LD_LIBRARY_PATH=$libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}; fi
    "$VENV/boot/bin/virtualenv" -q -p "$python2" "$VENV/suite" || exit 1
    impl=$("$VENV/suite/bin/python" -c 'import platform; print(platform.python_implementation())')
    pip2() { "$VENV/suite/bin/python" -W ignore -m pip -q install --no-compile --no-deps "$@"; }
    # shellcheck disable=SC2086
    pip2 $PINS_FIRST && pip2 $PINS_THEN && { [ "$impl" = PyPy ] || pip2 $PINS_CPYTHON; }
  ) >"$VENV/install.log" 2>&1 || { tail -n 25 "$VENV/install.log" >&2; die "installing failed, see $VENV/install.log"; }
  {
    echo '#!/bin/sh'
    [ -z "$libs" ] || echo "LD_LIBRARY_PATH='$libs'; export LD_LIBRARY_PATH"
    echo "exec '$VENV/suite/bin/python' -W ignore -u \"\$@\""
  } >"$VENV/py"
  chmod +x "$VENV/py"
  "$VENV/py" "$HERE/driver.py" version >&2 || die "the installed suite does not start"
  printf '%s\n' "$want" >"$stamp"
}

# -------------------------------------------------------------------- run ----

plan() { # the run as JSON; every value goes through python3's quoting
  python3 - "$@" <<'EOF'
import json, sys
k = ("mode url port globs exclude allow agent out parts timeout html until_report").split()
o = dict(zip(k, sys.argv[1:]))
for n in ("port", "parts", "timeout"):
    o[n] = int(o[n])
for n in ("html", "until_report"):
    o[n] = o[n] == "1"
print(json.dumps(o))
EOF
}

PIDS=()
cleanup() { local p; for p in "${PIDS[@]:-}"; do if [ -n "$p" ]; then kill "$p" 2>/dev/null || true; fi; done; }

wait_parts() { # reap all suite processes; their verdict is in their reports
  local p
  for p in "${PIDS[@]}"; do wait "$p" || true; done
  PIDS=()
}

main() {
  local mode=${1:-} url='' port=0 host globs=() command=() jobs until_report=0
  [ $# -gt 0 ] || usage
  shift
  VENV=$(absolute "${AUTOBAHN_VENV:-$HERE/venv}")
  jobs=${AUTOBAHN_JOBS:-1}
  case $mode in
    setup) setup; return ;;
    list)
      setup
      "$VENV/py" "$HERE/driver.py" list "$*" "${AUTOBAHN_EXCLUDE:-}" || exit 2; return ;;
    server)
      url=${1:-}; [ -n "$url" ] || usage; shift
      case $url in
        ws://*:*) host=${url#ws://}; host=${host%%/*}; port=${host##*:}; host=${host%:*}; host=${host#[}; host=${host%]} ;;
        *) die "give the server as ws://HOST:PORT" ;;
      esac
      globs=("$@") ;;
    client)
      port=${1:-}; [ -n "$port" ] || usage; shift
      while [ $# -gt 0 ] && [ "$1" != -- ]; do globs+=("$1"); shift; done
      if [ $# -gt 0 ]; then shift; command=("$@"); fi
      if [ ${#command[@]} -eq 0 ]; then until_report=1; jobs=1; fi ;;
    *) usage ;;
  esac
  case $port in ''|*[!0-9]*) die "not a port: $port" ;; esac
  setup

  local out agent
  out=$(absolute "${AUTOBAHN_OUT:-$HERE/reports}")
  agent=${AUTOBAHN_AGENT:-testee}
  rm -rf "$out"/part*
  AUTOBAHN_PLAN=$(plan "$mode" "$url" "$port" "${globs[*]:-}" "${AUTOBAHN_EXCLUDE:-}" \
    "${AUTOBAHN_ALLOW:-}" "$agent" "$out" "$jobs" "${AUTOBAHN_TIMEOUT:-1800}" \
    "${AUTOBAHN_HTML:-0}" "$until_report")
  export AUTOBAHN_PLAN
  "$VENV/py" "$HERE/driver.py" list "${globs[*]:-}" "${AUTOBAHN_EXCLUDE:-}" >"$out/cases.txt" || exit 2

  local started wall i
  if [ "$mode" = server ]; then
    "$VENV/py" "$HERE/driver.py" wait "$host" "$port" "${AUTOBAHN_WAIT:-30}" || exit 2
  fi
  started=$(date +%s.%N)
  trap cleanup EXIT
  for ((i = 0; i < jobs; i++)); do
    "$VENV/py" "$HERE/driver.py" run "$i" >"$out/suite-$i.log" 2>&1 &
    PIDS+=($!)
  done
  if [ "$mode" = client ]; then
    for ((i = 0; i < jobs; i++)); do
      "$VENV/py" "$HERE/driver.py" wait 127.0.0.1 $((port + i)) "${AUTOBAHN_WAIT:-30}" || exit 2
    done
    if [ ${#command[@]} -gt 0 ]; then
      local clients=() c
      for ((i = 0; i < jobs; i++)); do
        AUTOBAHN_URL=ws://127.0.0.1:$((port + i)) AUTOBAHN_AGENT=$agent \
          timeout "${AUTOBAHN_TIMEOUT:-1800}" "${command[@]}" >"$out/client-$i.log" 2>&1 &
        clients+=($!)
      done
      for c in "${clients[@]}"; do
        wait "$c" || say "the client ended with status $? (see $out/client-*.log)"
      done
      sleep 1                           # let the last connection be recorded
      cleanup
    else
      say "waiting for a client on ws://127.0.0.1:$port"
    fi
  fi
  wait_parts
  trap - EXIT
  wall=$(python3 -c 'import sys, time; print("%.1f" % (time.time() - float(sys.argv[1])))' "$started")
  "$VENV/py" "$HERE/driver.py" summary "$wall"
}

main "$@"
