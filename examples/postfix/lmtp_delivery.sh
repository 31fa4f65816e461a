#!/usr/bin/env bash
# Postfix gives mail to a handler of ours by LMTP, which has a reply for each recipient.
#
#   our client  --SMTP-->  Postfix  --LMTP-->  examples/lmtp_delivery.py, a Maildir for each user
#
#   sudo bash examples/postfix/lmtp_delivery.sh [--wait] [FOLDER]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/postfix.sh"
begin "$@"

say "Our handler: it knows alice, bob and carol, and each may keep 10,000 octets"
lmtp_port="$(free_port)"
start lmtp "$python" "$root/examples/lmtp_delivery.py" "$lmtp_port" "$folder/mailboxes" 10000
wait_for_port "$lmtp_port"
echo "it listens on $host:$lmtp_port"

say "A Postfix that delivers to it"
new_postfix mail
# Postfix is responsible for the domain, and does not know its mailboxes: the handler decides.
set_postfix mail \
  "virtual_mailbox_domains = example.com" \
  "virtual_transport = lmtp:inet:$host:$lmtp_port"
start_postfix mail
echo "it listens on $host:$mail_port"

say "One message to three recipients. Postfix accepts all of them"
smtpproto send --transcript --server "$host:$mail_port" --from carol@example.com \
  --to alice@example.com --to bob@example.com --to nobody@example.com - <<'END'
From: Carol <carol@example.com>
To: all <alice@example.com>
Subject: hello all

Three recipients, one message.
END
wait_for_mail 1 "$folder/mailboxes/alice"
wait_for_mail 1 "$folder/mailboxes/bob"

say "The handler refused the third. So Postfix tells the sender: a delivery status notification"
wait_for_mail 1 "$folder/mailboxes/carol"
cat "$folder"/mailboxes/carol/new/*

say "The replies of the handler, one for each recipient, in the log of Postfix"
wait_for "an empty queue" have_left 2 mail
log mail 'lmtp'

say "Send more:  python3 -m smtpproto send --server $host:$mail_port FILE"
echo "Mail lies in $folder/mailboxes"
pause
