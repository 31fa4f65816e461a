#!/usr/bin/env bash
# A Postfix that shows six reply codes: 250, 421, 450, 501, 550 and 553.
# examples/course/provoke_codes.py provokes each of them.
#
#   sudo bash examples/postfix/error_codes.sh [--wait] [FOLDER]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/postfix.sh"
begin "$@"

new_postfix mail
accounts mail example.com alice bob busy boss

# 450: a table says that the mailbox <busy@example.com> takes no mail now.
echo "busy@example.com 450 4.2.1 mailbox busy, try again later" >"$folder/mail/etc/recipients"
# 553: the address <boss@example.com> is for one user, and no other may send with it.  A Postfix
# where users log in has smtpd_sender_login_maps for this, which says who owns which address.
echo "boss@example.com 553 5.7.1 not yours, you are not logged in" >"$folder/mail/etc/senders"
# Postfix by default waits until RCPT before it refuses a sender; here it replies to MAIL at once.
set_postfix mail \
  "smtpd_recipient_restrictions = check_recipient_access texthash:$folder/mail/etc/recipients" \
  "smtpd_sender_restrictions = check_sender_access texthash:$folder/mail/etc/senders" \
  "smtpd_delay_reject = no"
# 421: after 20 errors Postfix closes the connection. After 10 it makes the client wait, which is
# switched off here.
set_postfix mail "smtpd_hard_error_limit = 20" "smtpd_error_sleep_time = 0"
# 421 is also the greeting if a client has too many connections. Here ten are enough, also from
# this machine.
set_postfix mail "smtpd_client_connection_count_limit = 10" "smtpd_client_event_limit_exceptions ="
# 250, 501 and 550 need no setting: the account exists, the syntax is wrong, no account exists.
start_postfix mail

"$python" -m examples.course.provoke_codes "$host:$mail_port"

say "The log of Postfix"
log mail 'NOQUEUE|too many errors'

say "Talk to it yourself:  python3 -m smtpproto talk $host:$mail_port"
pause
