#!/usr/bin/env bash
# Dovecot gives users their mail by IMAP and POP3.  The mail comes into the mailboxes in two ways:
# our server stores it in a Maildir, or our client gives it to Dovecot by LMTP.
#
#   our client  --SMTP-->  our server  --file-->  Maildir  <--file--  Dovecot  <--LMTP--  our client
#                                                    |
#                                                 Dovecot  --IMAP or POP3-->  mail programs
#
#   sudo bash examples/dovecot/mailboxes.sh [--wait] [FOLDER]
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
source "$here/../start_and_stop.sh"
PATH="$PATH:/usr/sbin:/sbin"
begin "$@"
if ! command -v dovecot >/dev/null; then
  echo "Dovecot is not installed. On Debian and Ubuntu:" >&2
  echo "  apt-get install dovecot-imapd dovecot-pop3d dovecot-lmtpd" >&2
  exit 2
fi

say "Our server stores mail for Alice in a Maildir"
mkdir -p "$folder/mailboxes"
smtp_port="$(free_port)"
start server "$python" -m smtpproto serve --listen "$host:$smtp_port" \
  --hostname mx.example.com --maildir "$folder/mailboxes/alice"
server_pid="$pid"
wait_for_port "$smtp_port"
smtpproto send --server "$host:$smtp_port" --from eve@example.org --to alice@example.com - <<'END'
From: Eve <eve@example.org>
To: Alice <alice@example.com>
Subject: through our server

Our server put this into the Maildir.
END
wait_for_mail 1 "$folder/mailboxes/alice"
stop "$server_pid"

# Dovecot reads mailboxes as the user who owns the mail, and never as root.  A server in production
# runs as that user from the start; ours ran as root, so we give its files away.
mail_user=nobody
chown -R "$mail_user" "$folder/mailboxes"

say "Dovecot, with the accounts alice and bob; their password is \"secret\""
printf '%s:{PLAIN}secret\n' alice bob >"$folder/users"
imap_port="$(free_port)" pop3_port="$(free_port)" lmtp_port="$(free_port)"
sed -e "s|@FOLDER@|$folder|; s|@IMAP@|$imap_port|; s|@POP3@|$pop3_port|; s|@LMTP@|$lmtp_port|" \
  -e "s|@UID@|$(id -u "$mail_user")|; s|@GID@|$(id -g "$mail_user")|" \
  "$here/dovecot.conf" >"$folder/dovecot.conf"
start dovecot dovecot -F -c "$folder/dovecot.conf"
wait_for_port "$imap_port"
wait_for_port "$pop3_port"
wait_for_port "$lmtp_port"
echo "IMAP at $host:$imap_port, POP3 at $host:$pop3_port, LMTP at $host:$lmtp_port"

say "Our client gives a message to Dovecot by LMTP: one reply for each recipient (status 1: some refused)"
status=0
smtpproto send --transcript --lmtp --server "$host:$lmtp_port" --from eve@example.org \
  --to alice@example.com --to bob@example.com --to carol@example.com - <<'END' || status=$?
From: Eve <eve@example.org>
To: Alice <alice@example.com>, Bob <bob@example.com>
Subject: through LMTP

Dovecot put this into the Maildir.
END
echo "status $status"
wait_for_mail 1 "$folder/mailboxes/bob"

say "Alice reads her mail by IMAP, and Bob his by POP3"
"$python" "$here/read_mail.py" imap "$imap_port" alice secret
"$python" "$here/read_mail.py" pop3 "$pop3_port" bob secret

say "Read it yourself:  python3 examples/dovecot/read_mail.py imap $imap_port alice secret"
pause
