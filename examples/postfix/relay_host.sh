#!/usr/bin/env bash
# Postfix as a relay host: our client gives its mail to Postfix, and Postfix passes it on to our
# server.  While the server is away, Postfix keeps the mail in its queue and tries again.
#
#   our client  --SMTP-->  Postfix  --SMTP-->  our server, a Maildir
#
#   sudo bash examples/postfix/relay_host.sh [--wait] [FOLDER]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/postfix.sh"
begin "$@"

say "Our server, which stores mail in a Maildir"
server_port="$(free_port)"
serve() {
  start server "$python" -m smtpproto serve --listen "$host:$server_port" \
    --hostname server.example.net --maildir "$folder/Maildir"
  server_pid="$pid"
  wait_for_port "$server_port"
}
serve
echo "it listens on $host:$server_port"

say "A Postfix that passes all mail on to it"
new_postfix relay
# The brackets say: this is a host, look up no MX record.
set_postfix relay "relayhost = [$host]:$server_port"
start_postfix relay
echo "it listens on $host:$relay_port"

send() { # send SUBJECT
  smtpproto send --transcript --server "$host:$relay_port" --name client.example.org \
    --from eve@example.org --to alice@example.net - <<END
From: Eve <eve@example.org>
To: Alice <alice@example.net>
Subject: $1

This message goes through a relay.
END
}

say "Our client sends to Postfix"
send "one"
wait_for_mail 1 "$folder/Maildir"

say "What our server stored. Each host on the way put a Received field on top"
cat "$folder"/Maildir/new/*

say "Our server stops. The client sends again, and Postfix accepts the message all the same"
stop "$server_pid"
send "two"
wait_for "a message that waits in the queue" is_deferred relay
queue relay

say "Our server is back, and Postfix delivers what waited"
serve
# Postfix would try again after five minutes, and then wait longer and longer.  This is at once.
postqueue -c "$folder/relay/etc" -f
wait_for_mail 2 "$folder/Maildir"
wait_for "an empty queue" have_left 2 relay
log relay 'smtp: |/smtp\['

say "Send more:  python3 -m smtpproto send --server $host:$relay_port FILE"
echo "Mail lies in $folder/Maildir/new"
pause
