#!/usr/bin/env bash
# A content filter between two Postfix instances.  The filter takes mail by SMTP, looks at it, and
# passes it on by SMTP.  It can stand in two places:
#
#   before the queue   the client waits for the filter, and gets its reply
#   after the queue    Postfix replies to the client first; if the filter refuses the message then,
#                      Postfix sends a delivery status notification to the sender
#
#   our client  -->  Postfix "front"  -->  examples/filtering_relay.py  -->  Postfix "back"
#
# All connections to "back" come from the filter.  So "front" and the filter say XFORWARD, which
# tells "back" for its log who the client was.
#
#   sudo bash examples/postfix/content_filter.sh [--wait] [FOLDER]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/postfix.sh"
begin "$@"

say "Postfix \"back\" has the mailboxes, and accepts XFORWARD from this machine"
new_postfix back
accounts back example.com alice bob
set_postfix back "smtpd_authorized_xforward_hosts = 127.0.0.0/8"
start_postfix back

say "The filter, which passes mail on to \"back\""
filter_port="$(free_port)"
start filter "$python" "$root/examples/filtering_relay.py" "$filter_port" "$back_port"
wait_for_port "$filter_port"

say "Postfix \"front\" has a port for each place of the filter"
new_postfix front
after_port="$(free_port)"
# Before the queue: this port is a proxy.  What the filter replies, the client gets.
before_port="$(free_port)"
listen_postfix front "$before_port" -o "smtpd_proxy_filter=$host:$filter_port"
# After the queue: mail from this port goes to the service "filter", which speaks SMTP.
listen_postfix front "$after_port" -o "content_filter=filter:[$host]:$filter_port"
postconf -c "$folder/front/etc" -Me \
  "filter/unix = filter unix - - n - - smtp -o smtp_send_xforward_command=yes"
# Notifications to senders go to "back" without the filter.
set_postfix front "relayhost = [$host]:$back_port"
start_postfix front
wait_for_port "$before_port"
wait_for_port "$after_port"

send() { # send PORT SUBJECT LINE
  smtpproto send --server "$host:$1" --name client.example.com \
    --from bob@example.com --to alice@example.com - <<END
From: Bob <bob@example.com>
To: Alice <alice@example.com>
Subject: $2

$3
END
}
# The beginning of a text that virus scanners refuse, and that harms nothing (EICAR).
unwanted='X5O!P%@AP[4'

say "Good mail passes in both places"
send "$before_port" "good, before the queue" "hello"
send "$after_port" "good, after the queue" "hello"
wait_for_mail 2 "$folder/mailboxes/alice"
grep -hE '^(Subject|X-Filtered|Received|	by)' "$folder"/mailboxes/alice/new/*

say "Before the queue: the client itself gets the filter's refusal (status 2)"
status=0
send "$before_port" "bad, before the queue" "$unwanted" || status=$?
echo "status $status"

say "After the queue: the client is told 250, and Bob gets a notification"
send "$after_port" "bad, after the queue" "$unwanted"
wait_for_mail 1 "$folder/mailboxes/bob"
grep -hE '^(From|To|Subject|Status|Diagnostic-Code):' "$folder"/mailboxes/bob/new/*

say "The log of \"back\" names the client (orig_client), thanks to XFORWARD"
log back 'orig_client'

say "Send more:  python3 -m smtpproto send --server $host:$before_port FILE"
echo "before the queue: port $before_port; after the queue: port $after_port"
echo "Mail lies in $folder/mailboxes"
pause
