"""What reply codes and enhanced status codes mean, and what to check: a table and `explain`.

Reply codes: RFC 5321 section 4.2, RFC 4954 section 6 (AUTH), RFC 7504 (521, 556), RFC 1985 (ETRN),
and those that RFC 5248 lists beside enhanced status codes (422, 523, 524, 525).
Enhanced status codes: RFC 3463 and the registry of RFC 5248, to which RFC 3886, 4468, 4954, 6531,
6710, 7293, 7372, 7505, 8617 and 8689 added.

A server takes its default enhanced status codes from here; errors and the command `explain` take
their texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..field_types import check_type
from ..grammar.lazy_pattern import lazy_pattern

__all__ = ["MEANINGS", "Explanation", "default_enhanced", "explain"]

# An entry is a key and the meaning of the reply.  In parentheses: the enhanced status code for such
# a reply that has none.  Lines with a dash: what to check or to do, the likeliest first.  `explain`
# uses the first key that fits, in this order:
#   421 4.7.0    a reply code with an enhanced status code
#   5.7.1 RCPT   an enhanced status code for a verb; 5.7.1 for any; x.7.1 for any class but 2
#   550 RCPT     a reply code for a verb; 550 for any; 5xx for those without an entry
# In place of a verb: "greeting" for the connection itself, and "content" for DATA and BDAT with
# all that follows them.  EHLO includes HELO and LHLO, and VRFY includes EXPN.
TABLE = """
# The classes: RFC 5321 section 4.2.1
2xx: The server did what was asked.
3xx: The command is fine so far; the server waits for what belongs to it.
4xx: The server cannot or will not do this now, but may do it later.
- Keep the message queued; try again after minutes at first, after hours later.
- Read the text of the reply: it holds the server's own reason, often with a link.
- Still refused after a day? Ask the postmaster there; quote the text, the time and your IP address.
5xx: The server will not do this, now or later, unless something changes.
- Do not send the same again: insisting can put your IP address on a blocklist.
- Read the text of the reply: it holds the server's own reason, often with a link.
- No reason in it? Ask the postmaster there; quote the text, the time and your IP address.

# 2xx and 3xx
211: The server reports its status, or answers HELP.
214: The server answers HELP, for people to read.
220: The server is ready.
220 greeting: The server is ready and has given its name; now the client says EHLO.
220 STARTTLS: The server is ready for the TLS handshake: the next octets belong to TLS.
- Say EHLO again after the handshake: what the server said in plain text no longer counts.
221: The server says goodbye and closes the connection, as a rule because of QUIT.
235 (2.7.0): Authentication succeeded.
250: The server did what was asked.
- To EHLO: the lines that follow list what the server can do.
- To MAIL or RCPT: acceptable so far; this is no promise to deliver.
- After the content: the server has taken responsibility for the message.
250 EHLO: The server knows the client's name, and lists its service extensions, one on each line.
- Is one missing? It may be offered only inside TLS (AUTH), only outside (STARTTLS), or not to you.
250 MAIL (2.1.0): A mail transaction has begun; the reverse-path is acceptable so far.
- This is no promise: servers may still refuse the sender at RCPT or after the content.
250 RCPT (2.1.5): This recipient is accepted for the message that follows.
- This is no promise of delivery: only the reply after the content makes one.
- It does not prove that the mailbox exists: some servers accept all, and return mail later.
250 content: The server has taken responsibility: it delivers the message, or reports a failure.
- Not in the inbox? Look in the spam folder and the quarantine.
- Keep the queue identifier from the text: with it the postmaster there can find the message.
- Reports of failure go to the reverse-path: check that a person reads that mailbox.
- Do not send it again, or it is delivered twice.
251 (2.1.5): The recipient is not local; the server accepts the message and forwards it.
- The text names the new address: use that one from now on, once you have checked it.
251 ETRN (2.0.0): No messages wait for this node.
252 (2.1.5): The server does not say whether the mailbox exists, but would accept mail for it.
- Most servers reply so to every VRFY, to hide which mailboxes exist: it proves nothing.
252 ETRN (2.0.0): Messages wait for this node, and the server has begun to send them.
253: Messages wait for this node; the text counts them, and the server has begun to send them.
334: The server waits for the client's next step of the authentication.
- The text is the mechanism's challenge in base64; for PLAIN it is empty.
354: The server waits for the message content, which ends with CRLF, a dot and CRLF.
- Nothing has been accepted yet: the reply after the content decides.
- Does the session hang from here on? Check the path MTU, and firewalls that rewrite SMTP.

# 4xx
421 (4.3.2): The server closes the connection: it shuts down, is too busy, or saw too many errors.
- Reconnect and try again after some minutes; what had no positive reply was not accepted.
- Always at the same point? Read the text: a limit on connections, messages or errors is usual.
- Open fewer connections at once, and send fewer messages in each.
- Operator: look for a restart, a limit on sessions, load, or a content filter that hangs.
421 greeting: The server will not talk to this client now, and has closed the connection.
- Close idle connections: a limit on connections from one IP address is the usual reason.
- Check that your IP address has a reverse DNS name which leads back to it.
- Look up your IP address in blocklists: some servers throttle listed clients in this way.
- Try another MX of the domain.
- Operator: look for a restart, the limit on sessions, or load.
421 4.7.0: The server refuses to go on: too many errors, too much at once, or a bad reputation.
- Read the replies before this one: syntax errors and unknown recipients are what is counted.
- Slow down: fewer connections, fewer messages an hour, an hour's pause after this reply.
- A client that sends before the greeting, or before the reply to STARTTLS, gets this reply too.
- Check blocklists, reverse DNS, SPF and DKIM for your IP address and domain.
- Operator: count the errors of this client in the log; raise the limit if you trust it.
421 4.4.2: The server waited too long for the client, and closes the connection.
- Send each command, and each piece of the content, within five minutes.
- Between DATA and the final dot? Check the path MTU, and firewalls that rewrite SMTP.
- Do not keep idle connections: say QUIT, and connect anew for the next message.
422 (4.7.12): The user's password must be converted before this mechanism can be used.
- Log in once with PLAIN inside TLS; after that the mechanism works.
432 (4.7.12): The user's password must be converted before this mechanism can be used.
- Log in once with PLAIN inside TLS; after that the mechanism works.
450 (4.2.0): The mailbox cannot take mail now, or the server is greylisting an unknown sender.
- Wait at least five minutes; retry with the same sender and recipient from the same IP address.
- Retries from a changing pool of IP addresses? Pin them to one, or greylisting never ends.
- Still there after some hours? Read the text: DNS faults and policies come with 450 too.
- Operator: look for a locked or busy mailbox, the greylist, and lookups that fail.
450 MAIL (4.1.0): The server defers this sender: a failed DNS lookup, greylisting, or a limit.
- Check that the domain of the reverse-path has an MX or an address record that resolves.
- Check that the name given with EHLO resolves as well.
- Otherwise wait at least five minutes and retry from the same IP address.
450 content (4.7.0): The server will not take this message now: a policy, or a filter that fails.
- Keep the message queued and try again, unchanged.
- Operator: look into the logs of the content filter and the milter for the same second.
451 (4.3.0): Something failed inside the server while it worked; the client did nothing wrong.
- Keep the message queued and try again; only the server's side can mend the fault.
- Greylisting comes with 451 too: wait at least five minutes, keep the same IP address.
- Operator: the log has the reason. Look for a full or read-only disk, and for a database,
  a DNS lookup or a content filter that gave no answer.
452 (4.3.1): The server lacks room now, or the transaction asks too much of it at once.
- Keep the message queued and try again: nothing is wrong with the message.
- Operator: check free space and free inodes of the queue and of the mail store.
452 RCPT (4.5.3): The server takes no more recipients in this transaction, or the mailbox is full.
- Go on with the recipients accepted so far, then send to the others in a new transaction.
- Was it the first recipient? Then the mailbox is over its quota: tell the person another way.
- Operator: accept at least 100 recipients (RFC 5321 section 4.5.3.1.8).
454 (4.7.0): TLS or authentication is not possible now, because of a fault of the server.
- Try again later; do not send credentials in plain text instead.
454 STARTTLS: The server offers TLS, but cannot begin it now.
- Try again later; go on in plain text only if this mail needs no encryption.
- Operator: can the server read its certificate and private key, and do the two match?
454 AUTH: The server cannot check credentials now: its password store gives no answer.
- Try again later with the same credentials: they were not found wrong.
- Operator: check the connection to the SASL daemon, LDAP or database that knows the users.
455 (4.5.4): The server cannot honour a parameter of MAIL or RCPT now.
- Try again later, or leave the parameter out if you can do without it.
458 (4.3.0): The server cannot send the messages that wait for this node (ETRN).
- Try again later.
- Operator: look into the queue for that domain.
459 (4.7.0): The server does not run the queue for this node when this client asks (ETRN).
- Check the spelling of the name, and whether ETRN has been arranged for it.

# 5xx: the command itself
500 (5.5.2): The server did not recognise the line as a command, or the line was too long.
- A command line has at most 512 octets with its CRLF; some extensions allow more.
- In the middle of a session? Look for content that was sent although DATA was refused, and for TLS
  where the server expected plain text.
- Was it EHLO? The server is very old, or a firewall rewrites SMTP: fall back to HELO.
501 (5.5.4): The server knows the command, but cannot read its arguments.
- Compare with MAIL FROM:<user@example.org>: angle brackets, and no space after the colon.
- Look for spaces, quotes, display names and characters beyond ASCII in the address.
- Log each octet of the line as it was sent: the fault is often an invisible character.
501 EHLO: The server does not accept the form of the name that the client gave.
- Use a fully qualified domain name, such as mail.example.org.
- Without one, use an address literal, such as [192.0.2.1] or [IPv6:2001:db8::1].
- Look for underscores, a trailing dot or an empty name: the machine's own name may have them.
501 MAIL: The server cannot read the reverse-path, or a parameter of MAIL.
- Write MAIL FROM:<user@example.org>: angle brackets, no space after the colon, no display name.
- The null reverse-path is <>. An address beyond ASCII needs the parameter SMTPUTF8.
- Check the parameters' values: SIZE=12345 is a number, BODY is 7BIT, 8BITMIME or BINARYMIME.
501 RCPT: The server cannot read the forward-path, or a parameter of RCPT.
- Write RCPT TO:<user@example.org>: angle brackets, no space after the colon, no display name.
- One address for each RCPT: look for commas, spaces and invisible characters copied with it.
- An address beyond ASCII needs the parameter SMTPUTF8 on MAIL.
501 AUTH (5.5.2): The server cannot read what the client sent, or the client cancelled with '*'.
- Base64 goes on one line without spaces: many encoders break it after 76 characters.
- An initial response that is empty is written as '='.
502 (5.5.1): The server knows the command but does not carry it out.
- Do without: VRFY, EXPN and ETRN are switched off on most servers.
- Was it EHLO? The server is very old: fall back to HELO.
- Use a command of an extension only where the last reply to EHLO offers it.
503 (5.5.1): The command is valid, but not at this point of the session.
- The order is EHLO, STARTTLS, EHLO again, AUTH, MAIL, RCPT, DATA.
- Look at the replies before: after a refused MAIL or RCPT the commands that need it get 503.
- AUTH? Once a session, never inside a mail transaction, and often only inside TLS.
504 (5.5.4): The server does not support this argument of the command.
- Compare with what the last reply to EHLO offers.
504 AUTH: The server does not know this authentication mechanism.
- Use one that the AUTH line of the reply to EHLO names; read it inside TLS.
521 (5.3.2): This host accepts no mail from any sender.
- Check the MX of the recipient's domain, and the host and port you have configured.
- Operator: a domain without mail says so better with a null MX (RFC 7505).
523 (5.7.10): The mechanism needs an encrypted connection.
- Start TLS before AUTH, or use implicit TLS on port 465.
524 (5.7.11): The mechanism needs an encrypted connection.
- Start TLS before AUTH, or use implicit TLS on port 465.
525 (5.7.13): The credentials are right, but the account is disabled.
- Ask the administrator: an unpaid bill, abuse and a stolen password are usual reasons.
- Do not try other passwords.
530 (5.7.0): The server wants authentication or TLS before it does this.
- Log in: a submission server (port 587 or 465) takes mail from known users only.
- STARTTLS in the text? Turn TLS on, or use implicit TLS on port 465.
- Delivering to another domain? Use that domain's MX on port 25, not a submission server.
534 (5.7.9): The server wants a stronger authentication mechanism, or another kind of password.
- Choose another mechanism from the AUTH line of the reply to EHLO.
- Large providers ask with 534 for an app password or OAuth in place of the usual password.
535 (5.7.8): The server does not accept these credentials.
- Check the user name: many servers want the whole mail address.
- Check the password: an account with a second factor needs an app password or OAuth.
- Check that this is the right server, and that the account may send with SMTP.
- Stop after a few attempts: most servers then lock the account or block the IP address.
- Operator: the authentication log says whether user, password or mechanism failed.
538 (5.7.11): The mechanism needs an encrypted connection.
- Start TLS before AUTH, or use implicit TLS on port 465.

# 5xx: mailboxes, policies, content
550: Refused for good: the mailbox does not exist, or a policy forbids this.
- Read the text: it names the mailbox, or a blocklist or policy, often with a link.
- The mailbox? Check the address letter by letter; take it off your lists.
- A policy? Check blocklists, reverse DNS, SPF, DKIM and DMARC for your IP address and domain.
- 'Relay'? The server does not handle that domain: log in first, or send to the domain's MX.
- Operator: the log says which restriction was hit.
550 greeting: The server does not want to talk to this client.
- Look up your IP address in blocklists, and check that its reverse DNS name leads back to it.
- At home or in a cloud? Send through your provider's submission server instead.
- Operator: the log says which list or rule was hit.
550 EHLO: The server does not want to talk to a client of this name or IP address.
- Give your own name: one that resolves to your IP address, which resolves back to it.
- Do not give localhost, a bare IP address, or the name of the server you talk to.
- Look up your IP address in blocklists.
550 MAIL (5.7.1): The server refuses this sender: address, domain, or the client's IP address.
- Check that the sender's domain exists and can receive mail (MX or address record).
- Check its SPF record: does it cover the IP address you send from?
- A submission server? The account may be allowed certain sender addresses only.
- Look up your IP address in blocklists.
- Operator: the log says which restriction was hit.
550 RCPT (5.1.0): The server refuses this recipient: no such mailbox, or a policy keeps you from it.
- Check the address letter by letter; ask the person another way.
- 'Relay'? The server does not handle that domain: log in first, or send to the domain's MX.
- A blocklist or 'policy' in the text? Check your IP address and domain there.
- No such mailbox? Take it off your lists: servers block clients that send to many of those.
- Operator: does the mailbox or alias exist, and does the server know the domain as its own?
550 VRFY (5.1.1): There is no such mailbox or list.
- Check the name letter by letter.
- It may exist all the same: some servers reply so to every VRFY. Only RCPT is certain.
550 content (5.7.1): The server has read the message and refuses it, as a rule by policy.
- Read the text: spam, a virus, DMARC, an attachment or the header's form?
- Check SPF, DKIM and DMARC: one of the first two must pass for the very domain in From.
- Look at links, short URLs and attachments; send plain text to compare.
- Check the header: one From, one Date, one Message-ID; and no bare CR or LF anywhere.
- Operator: the filter's log has the rule that matched.
551 (5.1.6): The recipient is not local, and the server does not forward the message.
- The text may name the new address: check with the person before you use it.
- No address there? Send to the MX of the recipient's domain.
552 (5.3.4): Too large: the message is over a limit of the server, or the mailbox over its quota.
- Compare with SIZE in the reply to EHLO; base64 makes attachments a third larger.
- Send a link in place of the attachment.
- A quota? Tell the person another way; only they can make room.
- Operator: look at the limit on message size, and at the quota.
552 RCPT (5.2.2): The mailbox is over its quota; old servers say so for too many recipients, too.
- Were others accepted before? Send to this one in a new transaction, as after 452
  (RFC 5321 section 4.5.3.1.10).
- Otherwise tell the person another way; only they can make room.
- Operator: raise the quota; 452 with 4.2.2 makes clients try again, as room may come back.
553 (5.1.3): The server does not allow this address: its form, or that you use it.
- Check the form: one @, a full domain, no spaces, no display name, angle brackets around it.
- As the sender? Use the address of the account you log in with, or log in first.
- As a recipient? 'Relay' or 'rcpthosts' in the text means: log in, or send to the domain's MX.
- An address beyond ASCII? It needs SMTPUTF8 on every server on its way.
- Operator: the log says whether syntax, sender ownership or relaying was the reason.
553 MAIL (5.1.7): The server does not allow this sender address, or not for you.
- Logged in? Send as the account's own address, or have the other one added as an alias.
- Not logged in? The server may reserve its own domains for its users: log in first.
- Check the form: one @, a full domain that exists, no display name, angle brackets around it.
- Operator: compare the sender with the map of logins and the addresses they own.
553 RCPT: The server does not allow this recipient address.
- Check the form: one @, a full domain, no spaces, no display name, angle brackets around it.
- 'Relay' or 'rcpthosts' in the text? Log in first, or send to the MX of the recipient's domain.
- '%' or '!' in the local part? That asks for a route, which servers refuse nowadays.
- Operator: is the recipient's domain in the list of those that the server accepts mail for?
554: The transaction failed, and the server has no other code for the reason.
- Read the text: policies, blocklists and content filters come with 554.
- Check blocklists, reverse DNS, SPF, DKIM and DMARC for your IP address and domain.
- Operator: the log has the reason.
554 greeting: This host has no mail service, for this client or for any.
- Look up your IP address in blocklists, and check that its reverse DNS name leads back to it.
- At home or in a cloud? Send through your provider's submission server instead.
- Try the next MX of the domain; on this connection only QUIT may follow.
554 RCPT: The server refuses this recipient, as a rule by policy: relaying, or a blocklist.
- 'Relay'? The server does not handle that domain: log in first, or send to the domain's MX.
- A blocklist in the text? Look up your IP address there, remove the cause, ask to be removed.
554 content: The server does not accept the message, or DATA had no valid recipient.
- Were all recipients refused before? Then their replies hold the reason.
- Otherwise a filter objects: check SPF, DKIM, DMARC, links and attachments.
- 'Too many hops'? The message runs in a loop: its Received fields show where.
- Operator: the filter's log has the rule that matched.
555 (5.5.4): The server does not know, or does not accept, a parameter of MAIL or RCPT.
- Send only parameters of extensions that the last reply to EHLO offers; after HELO, none.
- Does the address end with '>'? What follows the path is read as parameters.
556 (5.1.10): The recipient's domain accepts no mail at all: it has a null MX.
- Check the domain letter by letter. Its only MX is '0 .': there is no mailbox to reach.

# x.0 and x.1: addresses
x.0.0: The server gives no detail.
x.1.0: It is about an address.
- Check the addresses of sender and recipient letter by letter.
x.1.1: There is no such mailbox in the recipient's domain.
- Check the part before the @ letter by letter; ask the person another way.
- Take it off your lists: servers block clients that send to many such addresses.
- Operator: does the mailbox or alias exist, and can the server look it up?
4.1.1: The server cannot tell now whether this mailbox exists: a lookup failed.
- Keep the message queued; the address may still be right. Check it letter by letter.
- Operator: check the database of users, and the server that addresses are verified with.
x.1.2: The domain of the recipient cannot be found, or accepts no mail.
- Check the part after the @ letter by letter; look up its MX and address records.
- Operator: is the domain in the list of those that the server accepts mail for?
x.1.3: The recipient's address is not written as an address must be.
- Check for one @, a full domain, and no spaces, commas or display names.
x.1.4: The recipient's address fits more than one mailbox.
- Ask the person for the full address.
2.1.5: The recipient's address is valid.
x.1.6: The mailbox has moved, and mail for it is not forwarded.
- Ask the person for the new address; take the old one off your lists.
x.1.7: The sender's address is not written as an address must be.
- Check the reverse-path: one @, a full domain, no spaces, no display name.
x.1.8: The domain of the sender's address cannot be found, or cannot receive mail.
- Check that it has an MX or an address record, and that its name servers answer.
- A machine's own name, such as root@host.localdomain? Configure a real domain.
2.1.9: The message went on to a host that does not send the reports asked for.
- Expect no further report about it.
x.1.10: The recipient's domain says with a null MX that it accepts no mail.
- Check the domain letter by letter: there is no mailbox in it.

# x.2: mailboxes
x.2.0: It is about the recipient's mailbox.
- Tell the person another way.
4.2.0: Most likely greylisting: the server refuses an unknown sender once, and expects a retry.
- Wait at least five minutes; retry with the same sender and recipient from the same IP address.
- Retries from a changing pool of IP addresses? Pin them to one, or greylisting never ends.
- Do not retry at once: an attempt that comes too early may start the wait again.
- Still there after some hours? Then the mailbox is unavailable: ask the postmaster there.
- Operator: check the greylist, and whether the mailbox is locked or busy.
x.2.1: The mailbox exists, but takes no mail: it is disabled, or gets too much at once.
- Tell the person another way; the account may be closed or suspended.
- Operator: look at the account's state, and at the rate limit on mail to it.
x.2.2: The mailbox is full.
- Tell the person another way; only they can make room.
- Operator: raise the quota, or move mail out of the mailbox.
x.2.3: The message is larger than this mailbox accepts.
- Make it smaller, or send a link in place of the attachment.
x.2.4: The mailing list could not be expanded.
- Tell the list's owner.
- Operator: look for a list of members that is missing or cannot be read.

# x.3: the receiving system
x.3.0: It is about the receiving system: something failed there.
- You can mend nothing on your side; tell the postmaster there if it lasts.
- Operator: the log has the reason.
x.3.1: The receiving system has no room for more mail.
- Operator: check free space and free inodes of the queue and of the mail store.
x.3.2: The host accepts no mail now, or none at all: it shuts down, or is too busy.
- Try another MX of the domain.
- Operator: look for a restart, load, or a limit that was reached.
x.3.3: The receiving system lacks a feature that the message needs.
- Compare the parameters of MAIL and RCPT with the reply to EHLO.
x.3.4: The message is larger than the server accepts.
- Compare with SIZE in the reply to EHLO; base64 makes attachments a third larger.
- Send a link in place of the attachment.
- Operator: look at the limit on message size, also of the filters behind the server.
x.3.5: The receiving system is not configured for this mail as it should be.
- Tell the postmaster there, from an account elsewhere.
- Operator: does the MX relay the domain to itself? Check MX records and routes.
2.3.6: The message was accepted, with another priority than it asked for.

# x.4: network and routing
x.4.0: It is about the network or the route to the next host.
- Check DNS, and whether the next host can be reached.
x.4.1: The next host did not answer.
- Check that its port can be reached: firewall, route, and a server that listens.
- Port 25 blocked? Many networks do so: use a submission server on port 587 or 465.
x.4.2: The connection broke, or timed out.
- Try again; does it break inside the content? Check the path MTU and firewalls.
x.4.3: A lookup failed, in DNS or another directory.
- Check that the domain's name servers answer, and that its DNSSEC signatures are valid.
- Operator: check the resolver, LDAP and the database.
x.4.4: There is no route to the recipient's domain.
- Look up its MX: does it exist, and does its host have an address?
- Operator: check the tables of transports and relays.
x.4.5: The mail system is congested.
- Send less at once, and try again later.
x.4.6: The message runs in a loop.
- Read its Received fields: the hosts that repeat forward to each other.
- Operator: check forwards and aliases, and whether the MX knows the domain as its own.
x.4.7: The message was not delivered in time, and was given up.
- Read the last reply in the report: it has the reason for the delay.

# x.5: the protocol
x.5.0: It is about the protocol.
- Log the commands and compare them with RFC 5321.
x.5.1: The command is unknown, or not possible at this point of the session.
- The order is EHLO, STARTTLS, EHLO again, AUTH, MAIL, RCPT, DATA.
- Look at the replies before: after a refused MAIL or RCPT the commands that need it fail.
x.5.2: The line cannot be read as a command.
- Log each octet of it as it was sent: look for invisible characters, and at its length.
x.5.3: There are too many recipients in this transaction.
- Go on with the recipients accepted so far, then send to the others in a new transaction.
- The first recipient? The daily limit of the account or mailbox may be reached.
x.5.4: An argument or a parameter of the command is wrong, or not supported.
- Compare each one with the reply to EHLO, and with the RFC of its extension.
x.5.5: The two sides speak versions of the protocol that do not fit together.
- Look for an update of the older one.
x.5.6: A line of the authentication was longer than the server accepts.
- Look at the size of the token or ticket, or use another mechanism.

# x.6: the content
x.6.0: It is about the content.
- Check for bare CR or LF, lines over 998 octets, and a broken MIME structure.
x.6.1: This kind of content is not accepted.
- Send another format, or a link in place of the attachment.
x.6.2: The content would have to be converted, which is not allowed.
- Send it in 7 bits: as quoted-printable or base64.
x.6.3: The content would have to be converted, which the server cannot do.
- Send it in 7 bits, as quoted-printable or base64: the next host lacks 8BITMIME or BINARYMIME.
2.6.4: The content was converted, and something was lost.
x.6.4: Converting the content would lose something, which the sender does not allow.
- Send it in 7 bits: as quoted-printable or base64.
x.6.5: The content could not be converted.
- Send it in 7 bits, in a common format.
x.6.6: The server could not fetch the content from where BURL points.
- Check the URL, its authorisation and its expiry.
x.6.7: An address beyond ASCII is not allowed for this sender or recipient.
- Use an ASCII address of the same person; SMTPUTF8 is needed on every server on its way.
x.6.8: The reply would need UTF-8, which the client has not asked for.
- Give SMTPUTF8 with the command, if the client can read UTF-8.
x.6.9: The message needs SMTPUTF8, and a server on its way lacks it.
- Use ASCII addresses, and encode the header (RFC 2047).
x.6.10: The reply would need UTF-8, which the client has not asked for; x.6.8 is the newer code.
- Give SMTPUTF8 with the command, if the client can read UTF-8.

# x.7: security and policy
x.7.0: It is about security, or a policy that the server does not name.
- Read the text; check TLS, authentication, and the reputation of your IP address.
- Operator: the log says which rule was hit.
x.7.1: A policy forbids this: the sender, the IP address, the recipient or the content.
- Read the text: it names the blocklist or the rule, often with a link.
- 'Relay'? The server does not handle that domain: log in first, or send to the domain's MX.
- Check blocklists, reverse DNS, SPF, DKIM and DMARC for your IP address and domain.
- Operator: the log says which restriction was hit; make an exception there if it is wrong.
4.7.1: A policy defers the client: greylisting, a rate limit, or an unknown reputation.
- Wait at least five minutes; retry with the same sender and recipient from the same IP address.
- Still there after some hours? Check blocklists, reverse DNS, SPF and DKIM.
- Operator: look for a milter or policy service that gives no answer.
5.7.1 MAIL: A policy forbids this sender, or forbids you to use it.
- Logged in? Send as the account's own address, or have the other one added as an alias.
- Check SPF for the sender's domain: does it cover the IP address you send from?
- A blocklist in the text? Look up your IP address there, remove the cause, ask to be removed.
- Operator: the log says which restriction was hit; make an exception there if it is wrong.
5.7.1 RCPT: A policy forbids mail from you to this recipient; the mailbox may well exist.
- 'Relay'? The server does not handle that domain: log in first, or send to the domain's MX.
- A blocklist in the text? Look up your IP address there, remove the cause, ask to be removed.
- A group or a mailing list? It may take mail from members, or from its own domain, only.
- Operator: the log says which restriction was hit; make an exception there if it is wrong.
5.7.1 content: The server has read the message, and a policy forbids it: spam, virus or DMARC.
- Read the text: it names the rule or the filter, often with a link.
- Check SPF, DKIM and DMARC: one of the first two must pass for the very domain in From.
- Forwarded, or from a mailing list? Forwarding breaks SPF, changes break DKIM.
- Look at links, short URLs and attachments; send plain text to compare.
- Operator: the filter's log has the rule that matched.
x.7.2: You may not send to this mailing list.
- Send from the address that is subscribed, or ask the list's owner.
x.7.3: The message would have to change between security protocols, which cannot be done.
- Send it without this protection, or with another kind.
x.7.4: A security feature that was asked for is not supported.
- Use an authentication mechanism, and parameters, that the reply to EHLO offers.
x.7.5: A cryptographic operation failed: a key or certificate is missing, or not valid.
- Check the certificate's name, dates and chain.
x.7.6: A cryptographic algorithm is not supported.
- Compare the TLS versions and ciphers of both sides.
x.7.7: The message was damaged or changed on its way.
- Check its signature, and which host rewrites it.
x.7.8: The server does not accept these credentials.
- Check the user name: many servers want the whole mail address.
- Check the password: an account with a second factor needs an app password or OAuth.
- Stop after a few attempts: most servers then lock the account or block the IP address.
- Operator: the authentication log says whether user, password or mechanism failed.
x.7.9: The authentication mechanism is too weak for this user.
- Choose another from the AUTH line of the reply to EHLO.
- Large providers ask in this way for an app password or OAuth.
x.7.10: The mechanism needs an encrypted connection.
- Start TLS before AUTH, or use implicit TLS on port 465.
x.7.11: The mechanism needs an encrypted connection.
- Start TLS before AUTH, or use implicit TLS on port 465.
x.7.12: The user's password must be converted before this mechanism can be used.
- Log in once with PLAIN inside TLS; after that the mechanism works.
x.7.13: The credentials are right, but the account is disabled.
- Ask the administrator; do not try other passwords.
x.7.14: The server that holds the content does not trust the one that fetches it (BURL).
- Send the content itself, with DATA or BDAT.
- Operator: let each of the two servers trust the other.
x.7.15: The message's priority is lower than the server accepts now.
- Try again later, or with a higher MT-PRIORITY if you may.
x.7.16: The message is too large for its priority.
- Try again later, make it smaller, or raise MT-PRIORITY if you may.
x.7.17: The mailbox has changed hands since the date that the sender gave (RRVS).
- Do not send it there: ask the person for the present address.
x.7.18: The recipient's domain has changed hands since the date that the sender gave (RRVS).
- Do not send it there: ask the person for the present address.
x.7.19: The server does not know how long the mailbox has had its owner (RRVS).
- Decide whether to send without RRVS: a stranger may read it.
x.7.20: No DKIM signature of the message is valid.
- Check the key in DNS (selector._domainkey.domain), and what changes the message after signing.
x.7.21: A DKIM signature is valid, but none is acceptable to the server.
- Sign with your own domain and a key of at least 1024 bits, and cover the header field From.
x.7.22: No valid DKIM signature is of the domain in From.
- Sign with that domain (d=), not only with your provider's.
x.7.23: SPF does not allow your IP address to send for the domain of the reverse-path.
- Add it to the domain's SPF record, or send through a host that is named there.
- Forwarded? The forwarder has to rewrite the reverse-path (SRS).
x.7.24: SPF could not be evaluated.
- Check the record: only one, no syntax error, ten DNS lookups at most; do they all answer?
x.7.25: The client's IP address has no valid reverse DNS name.
- Have its owner set a PTR record with a name that leads back to the IP address.
x.7.26: More than one check of the sender failed, such as SPF and DKIM.
- Publish SPF and sign with DKIM; one of the two must pass for the very domain in From (DMARC).
- Look into Authentication-Results of a message to yourself elsewhere: it shows what fails.
x.7.27: The sender's domain has a null MX: it accepts no mail, so no report either.
- Use a reverse-path that can receive mail.
x.7.28: The server gets too much mail at once.
- Send less at once; look for a stolen account or a faulty script on your side.
x.7.29: The ARC chain of the message is not valid.
- Check the hosts that forwarded it: one of them changed it, or sealed it wrongly.
x.7.30: The message demands REQUIRETLS, and the next host does not offer it.
- Send it without REQUIRETLS if you may, or ask the postmaster there to offer it.
"""


def _parse(table: str) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Return the meaning and the checks of each entry, and the default enhanced status codes."""
    meanings: dict[str, tuple[str, ...]] = {}
    defaults = {}
    key = ""
    for line in table.splitlines():
        if line.startswith("- "):
            meanings[key] += (line[2:],)
        elif line.startswith("  "):
            *others, last = meanings[key]
            meanings[key] = (*others, f"{last} {line.strip()}")
        elif line and not line.startswith("#"):
            head, _, meaning = line.partition(": ")
            key, _, default = head.rstrip(")").partition(" (")
            meanings[key] = (meaning,)
            if default:
                defaults[key] = default
    return meanings, defaults


MEANINGS, DEFAULTS = _parse(TABLE)

# Where the first digit does not tell whether trying again can help.  552 may mean too many
# recipients (RFC 5321 section 4.5.3.1.10).
RETRY = {"422": False, "432": False, "459": False, "552 RCPT": True, "552 5.5.3": True}

# Where replies to a verb stand in the table.
PLACES = {
    **dict.fromkeys(("EHLO", "HELO", "LHLO"), "EHLO"),
    **dict.fromkeys(("CONTENT", "DATA", "BDAT", "BURL"), "content"),
    "EXPN": "VRFY",
    "GREETING": "greeting",
}
# What a reply to a command is about; this goes before the meaning of its enhanced status code.
ABOUT = {
    "greeting": "this connection",
    "EHLO": "this client",
    "MAIL": "this sender",
    "RCPT": "this recipient",
    "content": "this message",
}
# Details that say less than the reply codes they usually go with.
VAGUE = frozenset({"3.2", "5.1", "5.2", "5.4", "7.8"})
VERDICTS = {"4": "defers", "5": "refuses"}
# What the second digit of a reply code is about (RFC 5321 section 4.2.1); others are not specified.
CATEGORIES = {0: "syntax", 1: "information", 2: "the connection", 5: "the mail system"}
NO_CODE = ("This is no reply code of SMTP (RFC 5321 section 4.2).",)
# RFC 3463 section 2
STATUS_CODE = lazy_pattern(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})")
# Columns of an explanation.
WIDTH = 80


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a reply means, for people who look for the reason of a failure.

    Arguments:
        code: the reply code; 0 where only an enhanced status code is known.
        enhanced: the enhanced status code; empty where there is none.
        meaning: what it says.
        check: what to check or to do, the likeliest first; "Operator:" marks what only the
            server's side can do.
        retry: whether trying again can help.
    """

    code: int
    enhanced: str
    meaning: str
    check: tuple[str, ...]
    retry: bool

    @property
    def title(self) -> str:
        """The codes, and what they mean in a few words."""
        codes = " ".join(filter(None, (str(self.code or ""), self.enhanced))) or "0"
        match codes[:1], self.retry:
            case "2", _:
                meaning = "done"
            case "3", _:
                meaning = "go on"
            case "4", True:
                meaning = "not now; trying again later can help"
            case "4", False:
                meaning = "not now, and trying the same again does not help"
            case "5", True:
                meaning = "refused, but trying in another way can help"
            case "5", False:
                meaning = "refused; trying the same again does not help"
            case _:
                meaning = "unknown"
        return f"{codes}: {meaning}"

    def __str__(self) -> str:
        lines = [self.title, *_wrap(self.meaning, "  ", "  ")]
        for text in self.check:
            lines += _wrap(text, "  - ", "    ")
        return "\n".join(lines)


def default_enhanced(code: int, verb: str) -> str:
    """Return the enhanced status code for a reply that has none (RFC 2034 section 4).

    Arguments:
        code: the reply code.
        verb: what the reply answers; "" if that is no command.

    Returns:
        The general code of its kind, such as "5.5.4"; empty for 3xx, which has none.
    """
    kind = code // 100
    if kind not in {2, 4, 5}:
        return ""
    return DEFAULTS.get(f"{code} {_place(verb)}") or DEFAULTS.get(str(code), f"{kind}.0.0")


def explain(code: int, enhanced: str = "", verb: str = "") -> Explanation:
    """Return what a reply means and what to check.

    Arguments:
        code: the reply code; 0 if only an enhanced status code is known.
        enhanced: the enhanced status code; what does not look like one is left out.
        verb: what the reply answers, or "greeting" or "content"; "" if unknown.

    Raises:
        TypeError: the code is not a number, or another argument not text.
    """
    check_type("code", code, int)
    check_type("enhanced", enhanced, str)
    check_type("verb", verb, str)
    place = _place(verb)
    status = STATUS_CODE.fullmatch(enhanced)
    if status is None:
        enhanced = ""
        meaning, *check = _alone(code, place)
    elif code and status[1] != str(code)[:1]:
        meaning, *check = _alone(code, place)
        meaning += f" Its enhanced code contradicts it: class {status[1]} does not go with {code} "
        meaning += "(RFC 2034 section 4)."
    else:
        meaning, *check = _together(code, status, place)
    keys = (f"{code} {enhanced or place}", str(code))
    transient = str(code or enhanced)[:1] == "4"
    retry = next((RETRY[key] for key in keys if key in RETRY), transient)
    return Explanation(code, enhanced, meaning, tuple(check), retry)


def _place(verb: str) -> str:
    """Return the place of replies to this verb in the table."""
    name = verb.upper()
    return PLACES.get(name, name)


def _first(*keys: str) -> tuple[str, ...]:
    """Return the entry of the first key that has one."""
    return next((MEANINGS[key] for key in keys if key in MEANINGS), ())


def _alone(code: int, place: str) -> tuple[str, ...]:
    """Return the entry of a reply code alone."""
    return _first(f"{code} {place}", str(code)) or _by_digits(code)


def _by_digits(code: int) -> tuple[str, ...]:
    """Explain a reply code without an entry by its digits (RFC 5321 sections 4.2 and 4.3.2)."""
    kind = _first(f"{code // 100}xx")
    if not kind:
        return NO_CODE
    category = CATEGORIES.get(code // 10 % 10)
    about = f"; the second says that it is about {category}" if category else ""
    own = f"{code} is in no registry: its first digit says what to do{about}."
    return (f"{kind[0]} {own}", *kind[1:])


def _together(code: int, status: re.Match[str], place: str) -> tuple[str, ...]:
    """Explain a reply code (0 if unknown) and an enhanced status code of its class."""
    kind, subject, detail = status.groups()
    alone = _alone(code, place) if code else MEANINGS[f"{kind}xx"]
    if kind == "2":
        # Success needs no reason; few details add anything.
        return (" ".join((alone[0], *_first(status[0]))), *alone[1:])
    exact = _first(f"{code} {status[0]}", f"{status[0]} {place}", status[0])
    if exact:
        return exact
    usual = status[0] == default_enhanced(code, place)
    if usual and f"{subject}.{detail}" in VAGUE:
        return alone
    detailed = _first(f"x.{subject}.{detail}", f"2.{subject}.{detail}")
    if detailed and detail != "0":
        about = f"The server {VERDICTS[kind]} {ABOUT[place]}. " if place in ABOUT else ""
        return (about + detailed[0], *detailed[1:])
    meaning, *check = _first(f"x.{subject}.0", "x.0.0")
    if not detailed:
        meaning += f" {status[0]} itself is in no registry: read the text of the reply."
    if str(code) not in MEANINGS:
        return (meaning, *check, *alone[1:])
    if detailed and (subject == "0" or usual):
        return alone
    return (f"{alone[0]} {meaning}", *alone[1:])


def _wrap(text: str, first: str, others: str) -> list[str]:
    import textwrap  # noqa: PLC0415  it takes a while to load, and few explanations are shown

    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=others)
