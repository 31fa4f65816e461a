#!/usr/bin/env bash
# Two accounts of one Postfix, alice@example.com and bob@example.com, write to each other.
#
#   sudo bash examples/postfix/two_accounts.sh [--wait] [FOLDER]
#
# With --wait the server runs until you press Enter, so that you can talk to it.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/postfix.sh"
begin "$@"

say "A Postfix with two mailboxes"
new_postfix postfix
accounts postfix example.com alice bob
start_postfix postfix
echo "it listens on $host:$postfix_port"

say "Alice writes to Bob, with our client"
smtpproto send --transcript --server "$host:$postfix_port" --from alice@example.com --to bob@example.com - <<'END'
From: Alice <alice@example.com>
To: Bob <bob@example.com>
Subject: lunch

At noon?
END
wait_for_mail 1 "$folder/mailboxes/bob"

say "What is in Bob's mailbox. Postfix wrote the fields above From"
cat "$folder"/mailboxes/bob/new/*

say "Bob answers"
smtpproto send --server "$host:$postfix_port" --from bob@example.com --to alice@example.com - <<'END'
From: Bob <bob@example.com>
To: Alice <alice@example.com>
Subject: Re: lunch

Yes.
END
wait_for_mail 1 "$folder/mailboxes/alice"
cat "$folder"/mailboxes/alice/new/*

say "There is no third account: Postfix refuses the recipient, and the client exits with status 2"
status=0
smtpproto send --server "$host:$postfix_port" --from alice@example.com --to carol@example.com - <<'END' || status=$?
From: Alice <alice@example.com>
To: carol@example.com
Subject: who are you?

Hello?
END
echo "status $status"

say "The log of Postfix"
log postfix 'smtpd|qmgr|virtual'

say "Talk to it yourself:  python3 -m smtpproto talk $host:$postfix_port"
echo "Mail lies in $folder/mailboxes"
pause
