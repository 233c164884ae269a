# Functions for the tests of the examples. Each `test` sources this file. It needs bash, curl and openssl.
#
#   $ALBATROSS   the binary; default: the release build of this repository
#
# Ports come from the kernel. Files are in a temporary folder. All processes and files are removed at the end.
# shellcheck shell=bash
# shellcheck disable=SC2034  # used by the tests
set -euo pipefail

example=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd)
root=$(cd "$example/../.." && pwd)
albatross=${ALBATROSS:-$root/build/release/albatross}
work=$(mktemp -d)
admin=unix:$work/admin.sock
unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
declare -A pid=() address=() port=()

# end NAME: sends SIGTERM and returns the exit status. Kills the process if it still runs after ten seconds.
end() {
  local p=${pid[$1]}
  unset "pid[$1]"
  kill -TERM "$p" 2>/dev/null || true
  for _ in $(seq 100); do
    kill -0 "$p" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$p" 2>/dev/null || true
  wait "$p"
}

end_all() {
  local status=$? name
  trap '' INT TERM HUP
  for name in "${!pid[@]}"; do
    end "$name" 2>/dev/null || true
  done
  if [ "$status" -ne 0 ]; then
    tail -n 20 "$work"/*.log >&2 || true
  fi
  rm -rf "$work"
}
trap end_all EXIT
trap 'exit 1' INT TERM HUP

fail() {
  echo "$(basename "$example"): $*" >&2
  exit 1
}

# start NAME LINE COMMAND...: runs COMMAND in the background and waits until its output has LINE (a regular expression).
# False if it ends before that.
start() {
  local name=$1 line=$2
  shift 2
  : >"$work/$name.log"
  "$@" >>"$work/$name.log" 2>&1 &
  pid[$name]=$!
  for _ in $(seq 300); do
    ! grep -q "$line" "$work/$name.log" || return 0
    kill -0 "${pid[$name]}" 2>/dev/null || break
    sleep 0.05
  done
  end "$name" || true
  return 1
}

# respond NAME [BODY]: starts a server that answers BODY and sets ${port[NAME]}.
respond() {
  start "$1" ' listens on ' "$albatross" respond --listen 127.0.0.1:0 --body "${2:-$1}" || fail "server $1 did not start"
  port[$1]=$(sed -n 's/.* listens on .*:\([0-9]*\)$/\1/p' "$work/$1.log")
}

# free_port: sets $free to a port that is free now. Use port 0 in the configuration where that is possible.
free_port() {
  respond free
  free=${port[free]}
  end free
}

# proxy CONFIG: runs the proxy and sets ${address[NAME]} for each listener, "127.0.0.1:PORT".
proxy() {
  local name where
  start albatross ': admin on ' "$albatross" run -c "$1" --admin "$admin" || fail "albatross did not start"
  while read -r name where; do
    address[$name]=$where
  done < <(sed -n 's|^.* albatross: \(.*\) listens on https*://|\1 |p' "$work/albatross.log")
}

# ask CURL-ARGUMENTS...: prints the body of the answer.
ask() {
  curl --silent --show-error --max-time 10 "$@"
}

# expect BODY CURL-ARGUMENTS...: the body of the answer must be BODY.
expect() {
  local wanted=$1 got
  shift
  got=$(ask "$@") || fail "curl $*: failed"
  [ "$got" = "$wanted" ] || fail "curl $*: expected '$wanted', got '$got'"
}

# certificate NAME...: creates a self-signed certificate for these names in $work/certs.
certificate() {
  "$root/scripts/make-certificate" "$work/certs" "$@"
}

# passed: stops the proxy, which must drain and exit with 0.
passed() {
  end albatross || fail "albatross exited with $?"
  echo "$(basename "$example"): passed"
}
