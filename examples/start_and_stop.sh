# What the scripts in postfix/ and dovecot/ share: a folder, free ports, and programs that they
# start and stop.  They read this file with `source`; it does nothing by itself.
# shellcheck shell=bash

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
host=127.0.0.1

# The library needs nothing but Python, so a checkout runs without an installation.
python="${PYTHON:-python3}"
export PYTHONPATH="$root" PYTHONDONTWRITEBYTECODE=1
smtpproto() { "$python" -m smtpproto "$@"; }

# begin [--wait] [FOLDER]: read the arguments of a script, and make the folder for all its files.
# A folder that the user names is kept; any other is temporary, and removed at the end.
begin() {
  wait_for_user=
  if [ "${1:-}" = --wait ]; then
    wait_for_user=yes
    shift
  fi
  if [ "$(id -u)" != 0 ]; then
    echo "Run this as root: a mail server starts as root, and then gives up its privileges." >&2
    exit 2
  fi
  temporary=
  if [ -n "${1:-}" ]; then
    if [ -e "$1" ] && [ -n "$(ls -A "$1")" ]; then
      echo "$1 is not empty: name another folder, or none." >&2
      exit 2
    fi
    mkdir -p "$1"
    folder="$(cd "$1" && pwd)"
  else
    folder="$(mktemp -d)"
    temporary=yes
  fi
  # Mail servers have users of their own, who must be able to enter.
  umask 022
  chmod 755 "$folder"
  trap finish EXIT
  trap 'exit 130' INT TERM HUP
}

# This runs at the end of a script, also after an error: it stops what the script has started.
pids=()
at_end=()
finish() {
  local status=$? command pid
  trap '' INT TERM HUP
  for command in "${at_end[@]}"; do eval "$command"; done
  for pid in "${pids[@]}"; do stop "$pid"; done
  if [ "$status" != 0 ]; then
    echo "The script failed with status $status. The logs:" >&2
    tail -n 40 "$folder"/*.log >&2
  fi
  [ -z "$temporary" ] || rm -rf "$folder"
}

# start NAME COMMAND...: run a program in the background; $pid is its process id.
start() {
  local log="$folder/$1.log"
  shift
  "$@" >>"$log" 2>&1 </dev/null &
  pid=$!
  pids+=("$pid")
}

# stop PID: end a program, and wait until it has ended.
stop() {
  kill "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# free_port: print a port that no program uses.  Ports below 1024 are for system services.
free_port() {
  "$python" -c 'import socket; print(socket.create_server(("127.0.0.1", 0)).getsockname()[1])'
}

# wait_for WHAT COMMAND...: repeat a command until it succeeds, for 30 seconds at most.
wait_for() {
  local what="$1" attempt
  shift
  for ((attempt = 0; attempt < 300; attempt++)); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.1
  done
  echo "expected within 30 seconds: $what" >&2
  return 1
}

# wait_for_port PORT: wait until a program listens there.
wait_for_port() { wait_for "a server on port $1" bash -c "exec 3<>/dev/tcp/$host/$1"; }

# wait_for_mail COUNT MAILDIR: a Maildir keeps each new message as a file in new/.
has_mail() { [ "$(find "$2/new" -type f | wc -l)" -ge "$1" ]; }
wait_for_mail() { wait_for "$1 message(s) in $2" has_mail "$1" "$2"; }

# say TEXT: tell the user what comes next.
say() { printf '\n=== %s\n' "$*"; }

# pause: with --wait, keep all servers running until the user presses Enter.
pause() {
  if [ -n "$wait_for_user" ]; then
    say "The servers run until you press Enter."
    read -r || true
  fi
}
