"""What reply codes and enhanced status codes mean, and what to check: one table of data.

Reply codes: RFC 5321 sections 4.2.2 and 4.2.3, 4954 section 6 (AUTH), 7504 (521, 556), 1985 and 2645
(ETRN, ATRN).  Enhanced status codes: RFC 3463 and the registry that RFC 5248 began, with what RFCs
3886, 4468, 4954, 6531, 6710, 7293, 7372, 7505, 8617 and 8689 added to it.

A server takes its defaults from here, errors and `python -m smtpproto explain` their texts.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

__all__ = ["MEANINGS", "Explanation", "default_enhanced", "explain"]

# The keys, from the special to the general; the first that fits is used:
#   "550 5.7.1 RCPT"  a reply code with an enhanced status code, to a command
#   "550 5.7.1"       the same, whatever it answers
#   "5.7.1"           an enhanced status code, "x.7.1" in any class
#   "550 RCPT"        a reply code alone, to a command
#   "550"             a reply code alone
#   "5xx", "x.7.x"    what is left: the class, the subject
# "content" stands for the reply after the message content (DATA, BDAT), "EHLO" for HELO and LHLO too.
# The values: what it says, then what to check or to do, the likeliest first.
MEANINGS: dict[str, tuple[str, ...]] = {
    # --- The classes: RFC 5321 section 4.2.1 ---
    "2xx": ("The command was carried out.",),
    "3xx": ("The command is fine so far; the server waits for what belongs to it.",),
    "4xx": (
        "The server cannot or will not do this now, and says that it may do so later.",
        "Keep the message queued, and try again in minutes at first, in hours later.",
        "Read the text of the reply: it is the server's own reason, often with an address to visit.",
        "Does it stay for hours? Ask the postmaster there, with the text, the time and your address.",
    ),
    "5xx": (
        "The server will not do this, and will not do it later either unless something is changed.",
        "Do not send the same again: it annoys, and may put your address on a blocklist.",
        "Read the text of the reply: it is the server's own reason, often with an address to visit.",
        "Nothing to be seen there? Ask the postmaster, with the text, the time and your address.",
    ),
    # --- 2xx and 3xx ---
    "211": ("The server reports its status, or answers HELP.",),
    "214": ("The server answers HELP with text for people.",),
    "220": ("The server is ready.",),
    "220 greeting": (
        "The server is ready and has named itself; it is the client's turn to say EHLO.",
    ),
    "220 STARTTLS": (
        "The server is ready for the TLS handshake; the next octets belong to TLS.",
        "Say EHLO again after the handshake: nothing learnt in plain text counts any longer.",
    ),
    "221": ("The server says goodbye and closes the connection, as QUIT asked for.",),
    "235": ("Authentication succeeded.",),
    "250": ("The command was carried out.",),
    "250 EHLO": (
        "The server knows the client's name now, and lists its service extensions, one a line.",
        "An extension that is missing here may be offered only inside TLS, or before AUTH.",
    ),
    "250 MAIL": (
        "A mail transaction has begun: the reverse-path is acceptable so far.",
        "This is no promise: the sender may still be refused at RCPT or after the content.",
    ),
    "250 RCPT": (
        "This recipient is accepted for the message that follows.",
        "This is no promise of delivery: only the reply after the content makes one, and a server "
        "that accepts every recipient may return the message later.",
    ),
    "250 content": (
        "The server has taken responsibility: it will deliver the message or report its failure.",
        "Not in the inbox? Look in the spam folder and the quarantine; the protocol's part is done.",
        "Note the queue identifier in the text: the postmaster there finds the message by it.",
        "A report of failure goes to the reverse-path: can that mailbox be read?",
    ),
    "251": (
        "The recipient is not local; the server accepts the message and forwards it.",
        "The text names the new address: use that one from now on.",
    ),
    "252": (
        "The server will not say whether the address exists, but would accept mail for it.",
        "Most servers answer so to VRFY to tell nothing to address collectors: it proves nothing.",
    ),
    "253": ("The server has begun to send the messages that wait for this node, and counts them.",),
    "334": (
        "The server waits for the client's next step of the authentication.",
        "The text is the mechanism's challenge in base64; it is empty for PLAIN.",
    ),
    "354": (
        "The server waits for the message content, which ends with CRLF, a dot and CRLF.",
        "Nothing has been accepted yet: the reply after the content decides.",
        "Does the session hang from here on? Large packets may be lost: check the path MTU and "
        "firewalls that rewrite SMTP.",
    ),
    # --- 4xx ---
    "421": (
        "The server closes the connection: it shuts down, is too busy, or has lost its patience.",
        "Try again later in a new connection; nothing without a reply of its own was accepted.",
        "Open fewer connections at once, and send fewer messages in each.",
        "The same again and again? Read the text: a limit on your address often hides behind it.",
        "Operator: look for a restart, a limit on sessions, load, or a scanner that does not answer.",
    ),
    "421 greeting": (
        "The server will not talk to this client now, and has closed the connection.",
        "Close idle connections: the limit on connections from one address is the usual reason.",
        "Check that your address has a reverse DNS name that leads back to it.",
        "Look your address up in blocklists: some servers throttle listed senders in this way.",
        "Operator: look for a restart, the limit on sessions, or load.",
    ),
    "421 4.7.0": (
        "The server lost patience: too many errors, too much at once, or a doubtful reputation.",
        "Read the replies before this one: unknown recipients and syntax errors are counted.",
        "Slow down: fewer connections, fewer messages an hour, a pause of an hour after this reply.",
        "Octets sent before the server's reply (to STARTTLS or the greeting) give the same reply.",
        "Check the reputation of your address: blocklists, reverse DNS, SPF, DKIM.",
    ),
    "421 4.4.2": (
        "The server waited for the client until its time was over, and closes the connection.",
        "Send each command and each piece of the content within five minutes.",
        "Between DATA and the final dot? Check the path MTU and firewalls that rewrite SMTP.",
        "Do not keep idle connections open: say QUIT, and connect anew for the next message.",
    ),
    "422": ("The authentication mechanism is not ready for this user yet.", "See 432."),
    "432": (
        "The user's password must be converted before this mechanism can be used.",
        "Log in once with PLAIN inside TLS; after that the mechanism works.",
    ),
    "450": (
        "The mailbox cannot take mail now; or greylisting: the server puts strangers off at first.",
        "Wait at least five minutes, then send the same sender and recipient from the same address.",
        "Sending from a pool of addresses? Retry from the same one, or greylisting never ends.",
        "Still there after a few hours? Read the text: DNS faults and policies are said with 450 too.",
        "Operator: look at locked or busy mailboxes, the greylist, and lookups that fail.",
    ),
    "450 MAIL": (
        "The server puts this sender off: a DNS lookup that failed, greylisting, or a limit.",
        "Check that the domain of the reverse-path has an MX or an address record that resolves.",
        "Check that the name given with EHLO resolves as well.",
        "Otherwise wait at least five minutes and retry from the same address.",
    ),
    "450 content": (
        "The server will not take this message now: a policy, or a filter that is not available.",
        "Keep it queued and try again; shorten neither the message nor the list of recipients.",
        "Operator: look at the content filter's and the milter's log for the same second.",
    ),
    "450 4.2.0": (
        "Most likely greylisting: the server puts a stranger off once, to see whether it tries again.",
        "Wait at least five minutes, then send the same sender and recipient from the same address.",
        "Sending from a pool of addresses? Retry from the same one, or greylisting never ends.",
        "Do not send again at once: each attempt that comes too early may begin the wait anew.",
        "Not over after a few hours? Then the mailbox itself is unavailable: ask the postmaster.",
    ),
    "451": (
        "Something failed inside the server while it worked on this: the client did nothing wrong.",
        "Keep the message queued and try again; the fault is theirs to mend.",
        "Greylisting is said with 451 too: wait at least five minutes, keep the same address.",
        "Operator: the log of the same second has the reason: a full or read-only disk, a database, "
        "a DNS lookup or a content filter that gave no answer.",
    ),
    "451 4.7.1": (
        "The server puts the client off by policy: greylisting, or a reputation still unknown.",
        "Wait at least five minutes, then send the same sender and recipient from the same address.",
        "Still there after a few hours? Check blocklists, reverse DNS, SPF and DKIM of your address.",
        "Operator: a milter or policy service that does not answer gives the same reply.",
    ),
    "452": (
        "The server lacks room now, or the transaction asks too much of it at once.",
        "Try again later; the message itself is not at fault.",
        "Operator: check free space and inodes of the queue and of the mail store.",
    ),
    "452 RCPT": (
        "The server takes no more recipients in this transaction, or this mailbox is full now.",
        "Go on with the recipients accepted so far, then send to the others in a new transaction.",
        "The very first recipient? Then the mailbox is over its quota: reach the person otherwise.",
        "Operator: RFC 5321 section 4.5.3.1.8 asks for at least 100 recipients.",
    ),
    "453": ("No mail waits for the domains that ATRN asked about.", "Ask again later."),
    "454": (
        "TLS or authentication cannot be had now, because of a fault on the server's side.",
        "Try again later; do not send credentials in plain text instead.",
    ),
    "454 STARTTLS": (
        "The server offers TLS, but cannot begin it now.",
        "Try again later; go on in plain text only if you may do without encryption.",
        "Operator: can the server read its certificate and its private key, and do the two match?",
    ),
    "454 AUTH": (
        "The server cannot check credentials now: what it asks for them does not answer.",
        "Try again later with the same credentials: they were not found wrong.",
        "Operator: check the connection to the password store (SASL daemon, LDAP, database).",
    ),
    "455": (
        "The server cannot honour a parameter of MAIL or RCPT now.",
        "Try again later, or leave the parameter out if you can do without it.",
    ),
    "458": (
        "The server cannot send the messages that wait for this node (ETRN).",
        "Try again later.",
        "Operator: look at the queue of that domain.",
    ),
    "459": (
        "The server does not run the queue for this node when this client asks (ETRN).",
        "Check the spelling of the name, and whether ETRN is arranged for it.",
    ),
    # --- 5xx: the command itself ---
    "500": (
        "The server did not recognise the line as a command, or the line was too long.",
        "A command may have 512 octets with its CRLF; extensions add to that.",
        "In the middle of a session? The two sides are out of step: look for text sent as commands, "
        "such as content after a refused DATA, or TLS where plain text was expected.",
        "Was it EHLO? Then the server is very old, or a firewall rewrites SMTP: try HELO.",
    ),
    "501": (
        "The command is known, but its arguments are not written as they must be.",
        "Compare with 'MAIL FROM:<user@example.org>': angle brackets, and no space after the colon.",
        "Look for characters beyond ASCII, spaces and quotes in the address.",
        "Log the line as it was sent, octet by octet: what is wrong is often invisible.",
    ),
    "501 EHLO": (
        "The server does not accept the name that the client gave itself.",
        "Use a fully qualified domain name, such as mail.example.org, or an address in brackets, "
        "such as [192.0.2.1] or [IPv6:2001:db8::1].",
        "Look for underscores, a trailing dot or an empty name: machine names often have one.",
    ),
    "501 MAIL": (
        "The server cannot read the reverse-path or a parameter of MAIL.",
        "Write MAIL FROM:<user@example.org>: angle brackets, and no space after the colon.",
        "A null reverse-path is written <>. An address beyond ASCII needs SMTPUTF8.",
        "Check each parameter's value: SIZE is a number, BODY is 7BIT or 8BITMIME.",
    ),
    "501 RCPT": (
        "The server cannot read the forward-path or a parameter of RCPT.",
        "Write RCPT TO:<user@example.org>: angle brackets, no space after the colon, no name.",
        "Look for a comma, a space or an invisible character copied into the address.",
    ),
    "501 AUTH": (
        "The server cannot read what the client sent for authentication, or the client gave it up.",
        "Base64 must stand on one line without spaces: many encoders break it after 76 characters.",
        "An empty first response is written '=', and '*' alone cancels the exchange.",
    ),
    "502": (
        "The server knows the command but does not carry it out.",
        "Do without it: VRFY, EXPN and ETRN are switched off on most servers.",
        "EHLO or a command of an extension? Use only what the reply to EHLO offers.",
    ),
    "503": (
        "The command is valid, but not at this point of the session.",
        "The order is EHLO, STARTTLS, EHLO again, AUTH, MAIL, RCPT, DATA.",
        "Look at the replies before: after a refused MAIL or RCPT, what follows gets 503.",
        "After STARTTLS the session begins anew: say EHLO again.",
        "AUTH refused with 503? It was done already, or it is only offered inside TLS.",
    ),
    "504": (
        "The server does not support this argument of the command.",
        "Check what the reply to EHLO offers.",
    ),
    "504 AUTH": (
        "The server does not know this authentication mechanism.",
        "Use one that the AUTH line of the reply to EHLO names, as read inside TLS.",
    ),
    "521": (
        "This host never accepts mail.",
        "Check the MX of the recipient's domain: it should not name this host.",
        "Check the configured host and port: is it a sending-only host, or the wrong one?",
    ),
    "523": ("The mechanism needs an encrypted connection.", "Start TLS before AUTH."),
    "524": ("The mechanism needs an encrypted connection.", "Start TLS before AUTH."),
    "525": (
        "The credentials are right, but the account is disabled.",
        "Ask the administrator why: an unpaid bill, abuse, or a stolen password.",
        "Do not try other passwords.",
    ),
    "530": (
        "The server wants authentication or TLS before it does this.",
        "Log in: a submission server (port 587 or 465) takes mail from known users only.",
        "'Must issue a STARTTLS command first'? Turn TLS on, or use implicit TLS on port 465.",
        "Delivering to another domain? Use its MX and port 25, not its submission server.",
    ),
    "534": (
        "The server wants a stronger authentication mechanism, or another kind of password.",
        "Choose another mechanism from the AUTH line of the reply to EHLO.",
        "Large providers ask with 534 for an app password or OAuth in place of the usual password.",
    ),
    "535": (
        "The credentials are not accepted.",
        "Check the user name: many servers want the whole address.",
        "Check the password: an app password or OAuth token is needed where the account has a "
        "second factor.",
        "Check that this is the right server, and that SMTP logins are enabled for the account.",
        "Stop after a few attempts: most servers lock out who keeps trying.",
        "Operator: the authentication log knows whether user, password or mechanism failed.",
    ),
    "538": (
        "The mechanism needs an encrypted connection.",
        "Start TLS before AUTH, or use implicit TLS on port 465.",
    ),
    # --- 5xx: mailboxes, policy, content ---
    "550": (
        "Refused for good: the mailbox does not exist, or a policy forbids this.",
        "Read the text: it names the mailbox, a blocklist or an address with the reason.",
        "Check the address letter by letter.",
        "Nothing wrong with it? Check blocklists, reverse DNS, SPF, DKIM and DMARC of the sender.",
        "Operator: the log says which restriction was hit.",
    ),
    "550 greeting": (
        "The server does not want to talk to this client.",
        "Look your address up in blocklists, and check its reverse DNS name.",
        "An address of a home or a cloud? Send through your provider's submission server.",
    ),
    "550 EHLO": (
        "The server does not want to talk to a client of this name or address.",
        "The name after EHLO should be your own, resolve to your address, and back again.",
        "Do not use localhost, a bare IP address, or the name of the server you talk to.",
        "Look your address up in blocklists.",
    ),
    "550 MAIL": (
        "The server refuses this sender: the reverse-path, its domain, or the client's address.",
        "Check that the domain of the reverse-path exists and can receive mail (MX or address).",
        "Check its SPF record: does it name the address you send from?",
        "A submission server? The account may use only certain sender addresses.",
        "Look your address up in blocklists.",
    ),
    "550 RCPT": (
        "The server refuses this recipient: there is no such mailbox, or it may not be reached.",
        "Check the address letter by letter; ask the person through another channel.",
        "'Relay' in the text? The server is not responsible for this domain: log in first, or send "
        "to the domain's own MX.",
        "A blocklist or 'policy' in the text? It is about you: check your address's reputation.",
        "Take the address off your lists: senders who insist are blocked.",
        "Operator: is the mailbox or alias there, and the domain in the list of local domains?",
    ),
    "550 content": (
        "The server has read the message and refuses it, as a rule by policy: spam, virus, DMARC.",
        "Check SPF, DKIM and DMARC of the domain in From: one must pass and be aligned.",
        "Look at links, attachments and shortened addresses in the content; try plain text.",
        "Check the header: one From, one Date, one Message-ID, and no bare CR or LF.",
        "Operator: the filter's log has the rule that matched.",
    ),
    "550 5.7.1": (
        "A policy of the server forbids this: who sends, from where, or what.",
        "Read the text: it names the blocklist or the rule, often with an address to visit.",
        "'Relay'? Log in first, or send to the MX of the recipient's domain.",
        "Look your address up in blocklists, and check its reverse DNS, SPF, DKIM and DMARC.",
        "Operator: the log says which restriction was hit; make an exception there if it was wrong.",
    ),
    "550 5.7.1 RCPT": (
        "A policy forbids mail from you to this recipient; the mailbox may well exist.",
        "'Relay'? The server is not responsible for this domain: log in first, or use its MX.",
        "'Blocked' or a list's name? Visit the list, remove the cause, then ask to be taken off.",
        "A mailing list or a group? It may take mail from its members or its own domain only.",
        "Operator: the log says which restriction was hit; make an exception there if it was wrong.",
    ),
    "550 5.7.1 content": (
        "The server has read the message, and its policy forbids it: spam, virus, DMARC, attachment.",
        "Check SPF, DKIM and DMARC of the domain in From: one must pass and be aligned.",
        "Forwarded or from a list? Forwarding breaks SPF, and changed content breaks DKIM.",
        "Look at links, attachments and shortened addresses in the content; try plain text.",
        "Operator: the filter's log has the rule that matched.",
    ),
    "551": (
        "The recipient is not local, and the server does not forward the message.",
        "The text may name the new address: check with the person before you use it.",
        "No address there? Send to the MX of the recipient's domain.",
    ),
    "552": (
        "Too large: the message is over a limit of the server, or the mailbox over its quota.",
        "Compare with SIZE in the reply to EHLO: base64 makes attachments a third larger.",
        "Send a link in place of the attachment.",
        "Operator: look at the limit on message size and at the quota.",
    ),
    "552 RCPT": (
        "The mailbox is over its quota; very old servers also say so for too many recipients.",
        "Reach the person otherwise, who has to make room.",
        "Were many recipients accepted before? Send to the others in a new transaction: RFC 5321 "
        "section 4.5.3.1.10 asks to treat it like 452.",
        "Operator: raise the quota, or answer with 452 and 4.2.2 if the mailbox may get room again.",
    ),
    "553": (
        "The address is not acceptable as it is written, or not for this client.",
        "Check the syntax: one @, a domain with a dot, no spaces, no name around the address.",
        "An address beyond ASCII? It needs SMTPUTF8 on every server of the way.",
    ),
    "553 MAIL": (
        "The server does not accept this sender address, or not from this account.",
        "Logged in? Use the account's own address, or have the other one added as an alias.",
        "Not logged in? The server may reserve this domain for its own users: log in first.",
        "Check the syntax: one @, a fully qualified domain that exists, angle brackets.",
        "Operator: compare the map of logins and sender addresses with the log.",
    ),
    "553 RCPT": (
        "The server does not accept an address of this form as recipient.",
        "Check the syntax: one @, a domain with a dot, no spaces, no name around the address.",
        "'Not in my list of rcpthosts'? This is a refusal to relay: log in, or use the domain's MX.",
        "An address with '%' or '!' asks for a route through a host, which is refused nowadays.",
    ),
    "554": (
        "The transaction failed, and the server names no better code.",
        "Read the text: policy, blocklists and content filters are often said with 554.",
        "Check blocklists, reverse DNS, SPF, DKIM and DMARC of the sender.",
        "Operator: the log has the reason.",
    ),
    "554 greeting": (
        "There is no mail service for this client: by policy, or for nobody.",
        "Look your address up in blocklists, and check its reverse DNS name.",
        "An address of a home or a cloud? Send through your provider's submission server.",
        "Only QUIT may follow; try another MX of the domain, with a lower preference.",
    ),
    "554 RCPT": (
        "The server refuses this recipient, as a rule by policy: relaying, or a blocklist.",
        "'Relay access denied'? Log in first, or send to the MX of the recipient's domain.",
        "A list's name in the text? Visit the list, remove the cause, then ask to be taken off.",
    ),
    "554 content": (
        "The server does not accept the message, or there was no valid recipient at DATA.",
        "Were all recipients refused before? Then their replies have the reason.",
        "Otherwise a filter objects: check SPF, DKIM, DMARC, links and attachments.",
        "'Too many hops'? The message goes round in a loop: read its Received fields.",
        "Operator: the filter's log has the rule that matched.",
    ),
    "555": (
        "The server does not know or does not accept a parameter of MAIL or RCPT.",
        "Send only parameters of extensions in the reply to the last EHLO.",
        "After HELO there are none at all.",
        "Is the address closed with '>'? What follows it is read as parameters.",
    ),
    "556": (
        "The domain of this recipient does not accept mail at all: it has a null MX.",
        "Check the domain letter by letter; look at its MX: 'MX 0 .' says so.",
    ),
    # --- x.0 and x.1: addresses ---
    "x.0.x": ("The server gives no detail.",),
    "x.0.0": ("The server gives no detail.",),
    "x.1.x": ("It is about an address.", "Check sender and recipient letter by letter."),
    "x.1.0": ("It is about an address.", "Check sender and recipient letter by letter."),
    "2.1.0": ("It is about the sender's address.",),
    "x.1.1": (
        "There is no such mailbox in the recipient's domain.",
        "Check the part before the @ letter by letter; ask the person through another channel.",
        "Take the address off your lists: senders who insist are blocked.",
        "Operator: is the mailbox or alias there, and can the server look it up?",
    ),
    "x.1.2": (
        "The domain of the recipient does not exist, or accepts no mail.",
        "Check the part after the @ letter by letter; look up its MX and address records.",
        "Operator: is the domain in the list of those the server is responsible for?",
    ),
    "x.1.3": (
        "The recipient's address is not written as an address must be.",
        "Check for one @, a domain with a dot, and no spaces, commas or names.",
    ),
    "x.1.4": (
        "The recipient's address fits more than one mailbox.",
        "Use the full address; ask the person for it.",
    ),
    "x.1.5": ("The recipient's address is valid.",),
    "x.1.6": (
        "The mailbox has moved, and mail is not forwarded.",
        "Ask the person for the new address; take the old one off your lists.",
    ),
    "x.1.7": (
        "The sender's address is not written as an address must be.",
        "Check the reverse-path: one @, a fully qualified domain, no spaces, angle brackets.",
    ),
    "x.1.8": (
        "The domain of the sender's address does not exist, or cannot receive mail.",
        "Check that it has an MX or an address record, and that its name servers answer.",
        "A machine's own name, such as root@host.localdomain? Configure a real domain.",
    ),
    "x.1.9": (
        "The message went on to a server that cannot send the requested reports.",
        "Expect no further delivery report for it.",
    ),
    "x.1.10": (
        "The recipient's domain says with a null MX that it accepts no mail.",
        "Check the domain letter by letter; there is no mailbox in it.",
    ),
    # --- x.2: mailboxes ---
    "x.2.x": ("It is about the recipient's mailbox.", "Reach the person otherwise."),
    "x.2.0": ("It is about the recipient's mailbox.", "Reach the person otherwise."),
    "x.2.1": (
        "The mailbox exists, but takes no mail: disabled, or over a rate.",
        "Reach the person otherwise; the account may be closed or suspended.",
        "Operator: look at the state of the account, and at the limit on mail to it.",
    ),
    "x.2.2": (
        "The mailbox is full.",
        "Reach the person otherwise, who has to make room.",
        "Operator: raise the quota or move mail away.",
    ),
    "x.2.3": (
        "The message is larger than this mailbox accepts.",
        "Make it smaller, or send a link in place of the attachment.",
    ),
    "x.2.4": (
        "The mailing list could not be expanded.",
        "Tell the list's owner.",
        "Operator: look for a missing or unreadable list of members.",
    ),
    # --- x.3: the receiving system ---
    "x.3.x": ("It is about the receiving system.", "Operator: the log has the reason."),
    "x.3.0": (
        "Something failed in the receiving system.",
        "Keep the message queued: the fault is theirs to mend.",
        "Operator: the log of the same second has the reason.",
    ),
    "x.3.1": (
        "The receiving system has no room for more mail.",
        "Operator: check free space and inodes of the queue and of the mail store.",
    ),
    "x.3.2": (
        "The host accepts no mail now, or none at all: it shuts down, or is too busy.",
        "Try another MX of the domain.",
        "Operator: look for a restart, load, or a limit that was reached.",
    ),
    "x.3.3": (
        "The receiving system lacks a feature that the message needs.",
        "Compare the parameters of MAIL and RCPT with the reply to EHLO.",
    ),
    "x.3.4": (
        "The message is larger than the server accepts.",
        "Compare with SIZE in the reply to EHLO: base64 makes attachments a third larger.",
        "Send a link in place of the attachment.",
        "Operator: look at the limit on message size, also in filters behind the server.",
    ),
    "x.3.5": (
        "The receiving system is not configured rightly for this mail.",
        "Tell the postmaster there, through another domain.",
        "Operator: a domain that is relayed to itself is the usual case: check MX and routes.",
    ),
    "x.3.6": ("The message was accepted with another priority than it asked for.",),
    # --- x.4: network and routing ---
    "x.4.x": ("It is about the network or the route.", "Check DNS and the way to the next host."),
    "x.4.0": ("It is about the network or the route.", "Check DNS and the way to the next host."),
    "x.4.1": (
        "The next host did not answer.",
        "Check that it can be reached on its port: firewall, route, listening service.",
        "Port 25 blocked? Many providers do so: use a submission server on port 587 or 465.",
    ),
    "x.4.2": (
        "The connection broke or timed out.",
        "Try again; if it breaks in the content, check the path MTU and firewalls.",
    ),
    "x.4.3": (
        "A directory or DNS lookup failed.",
        "Check that the name servers of the domain answer, and that DNSSEC is valid.",
        "Operator: check the resolver, LDAP and the database.",
    ),
    "x.4.4": (
        "There is no route to the recipient's domain.",
        "Look up its MX: does it exist, and does the host have an address?",
        "Operator: check the transport and relay tables.",
    ),
    "x.4.5": (
        "The mail system is congested.",
        "Send less at once, and try again later.",
    ),
    "x.4.6": (
        "The message goes round in a loop.",
        "Read its Received fields: the hosts that repeat forward to each other.",
        "Operator: check forwards, aliases, and whether the MX knows its own domain.",
    ),
    "x.4.7": (
        "The message could not be delivered in time, and was given up.",
        "Read the last reply in the report: it has the reason for the delay.",
    ),
    # --- x.5: the protocol ---
    "x.5.x": ("It is about the protocol.", "Log the commands and compare them with RFC 5321."),
    "x.5.0": ("It is about the protocol.", "Log the commands and compare them with RFC 5321."),
    "x.5.1": (
        "The command is unknown, or not possible at this point.",
        "The order is EHLO, STARTTLS, EHLO again, AUTH, MAIL, RCPT, DATA.",
        "Look at the replies before: after a refused MAIL or RCPT, what follows is out of order.",
    ),
    "x.5.2": (
        "The line cannot be read as a command.",
        "Log the line as it was sent, octet by octet; look for its length and invisible characters.",
    ),
    "x.5.3": (
        "Too many recipients in one transaction.",
        "Send to those accepted so far, then to the others in a new transaction.",
        "Mail to many people from a mailbox account? Its daily limit may be reached.",
    ),
    "x.5.4": (
        "An argument or parameter of the command is wrong or not supported.",
        "Check each one against the reply to EHLO and against the RFC of its extension.",
    ),
    "x.5.5": ("The two sides speak different versions of the protocol.", "Look for an update."),
    "x.5.6": (
        "A line of the authentication was longer than the server accepts.",
        "Check the size of the token or ticket; use another mechanism.",
    ),
    # --- x.6: the content ---
    "x.6.x": ("It is about the content.", "Check the message's structure and character sets."),
    "x.6.0": (
        "It is about the content.",
        "Check for bare CR or LF, lines over 998 octets and a broken MIME structure.",
    ),
    "x.6.1": (
        "The kind of content is not accepted.",
        "Send another format, or a link in place of the attachment.",
    ),
    "x.6.2": (
        "The content would have to be converted, which is forbidden.",
        "Send it in 7 bits: quoted-printable or base64.",
    ),
    "x.6.3": (
        "The content would have to be converted, which the server cannot do.",
        "Send it in 7 bits: quoted-printable or base64; the next host lacks 8BITMIME or BINARYMIME.",
    ),
    "x.6.4": ("The content was converted, and something was lost.",),
    "x.6.5": ("The content could not be converted.", "Send it in 7 bits, in a common format."),
    "x.6.6": (
        "The server could not fetch the message content from where BURL pointed.",
        "Check the URL, its authorisation and its expiry.",
    ),
    "x.6.7": (
        "An address beyond ASCII is not permitted for this sender or recipient.",
        "Use the person's ASCII address; SMTPUTF8 is needed on every server of the way.",
    ),
    "x.6.8": (
        "The reply would need UTF-8, which the client did not permit.",
        "Say SMTPUTF8 with the command, if the client can read UTF-8.",
    ),
    "x.6.9": (
        "The message needs SMTPUTF8, and the next host lacks it.",
        "Use ASCII addresses and an encoded header.",
    ),
    "x.6.10": (
        "The reply would need UTF-8, which the client did not permit (now said with x.6.8).",
        "Say SMTPUTF8 with the command, if the client can read UTF-8.",
    ),
    # --- x.7: security and policy ---
    "x.7.x": ("It is about security or a policy.", "Read the text: it may name the policy."),
    "x.7.0": (
        "It is about security or a policy that the server does not name.",
        "Read the text; check TLS, authentication and the reputation of your address.",
        "Operator: the log says which rule was hit.",
    ),
    "2.7.0": ("Authentication or another matter of security went well.",),
    "x.7.1": (
        "A policy forbids this: who sends, from where, to whom, or what.",
        "'Relay'? Log in first, or send to the MX of the recipient's domain.",
        "Look your address up in blocklists, and check its reverse DNS, SPF, DKIM and DMARC.",
        "Operator: the log says which restriction was hit.",
    ),
    "x.7.2": (
        "You may not send to this mailing list.",
        "Send as a member, from the address you are subscribed with, or ask the list's owner.",
    ),
    "x.7.3": (
        "The message would have to be converted between security protocols, which cannot be done.",
        "Send it without, or with another kind of protection.",
    ),
    "x.7.4": (
        "A requested security feature is not supported.",
        "AUTH? Use a mechanism that the reply to EHLO names.",
        "REQUIRETLS? The next host lacks it.",
    ),
    "x.7.5": (
        "A cryptographic operation failed: a key or certificate is missing or not valid.",
        "Check the certificate's name, dates and chain.",
    ),
    "x.7.6": (
        "A cryptographic algorithm is not supported.",
        "Check which TLS versions and ciphers both sides have.",
    ),
    "x.7.7": ("The message was changed on its way.", "Check its signature, and what rewrites it."),
    "x.7.8": (
        "The credentials are not accepted.",
        "Check the user name (often the whole address) and the password.",
        "A second factor in use? Create an app password, or use OAuth.",
        "Stop after a few attempts: most servers lock out who keeps trying.",
        "Operator: the authentication log knows whether user, password or mechanism failed.",
    ),
    "x.7.9": (
        "The authentication mechanism is too weak for this user.",
        "Choose another from the AUTH line of the reply to EHLO.",
        "Large providers ask so for an app password or OAuth.",
    ),
    "x.7.10": ("The mechanism needs an encrypted connection.", "Start TLS before AUTH."),
    "x.7.11": ("The mechanism needs an encrypted connection.", "Start TLS before AUTH."),
    "x.7.12": (
        "The user's password must be converted before this mechanism can be used.",
        "Log in once with PLAIN inside TLS; after that the mechanism works.",
    ),
    "x.7.13": (
        "The credentials are right, but the account is disabled.",
        "Ask the administrator why; do not try other passwords.",
    ),
    "x.7.14": (
        "The server would need to be trusted by the host that has the content (BURL).",
        "Send the content itself, with DATA or BDAT.",
    ),
    "x.7.15": (
        "The message's priority is lower than the server accepts now.",
        "Try again later, or with a higher MT-PRIORITY if you may.",
    ),
    "x.7.16": (
        "The message is too large for its priority.",
        "Try again later, make it smaller, or raise its MT-PRIORITY if you may.",
    ),
    "x.7.17": (
        "The mailbox has had another owner since the date that the sender gave.",
        "Do not send it there: ask the person for the present address.",
    ),
    "x.7.18": (
        "The recipient's domain has had another owner since the date that the sender gave.",
        "Do not send it there: ask the person for the present address.",
    ),
    "x.7.19": (
        "The server does not know how long the mailbox has had its owner.",
        "Decide whether to send without RRVS: a stranger may read it.",
    ),
    "x.7.20": (
        "No DKIM signature of the message is valid.",
        "Check the key in DNS (selector._domainkey.domain), and what changes the message later.",
    ),
    "x.7.21": (
        "No DKIM signature of the message is acceptable, though one is valid.",
        "Sign with your own domain, a key of at least 1024 bits, and the header field From.",
    ),
    "x.7.22": (
        "No valid DKIM signature is from the domain in From.",
        "Sign with the domain in From (d=), not only with your provider's.",
    ),
    "x.7.23": (
        "SPF says that this host may not send for the domain of the reverse-path.",
        "Add its address to the domain's SPF record, or send through a host named there.",
        "Forwarded? The forwarder has to rewrite the reverse-path (SRS).",
    ),
    "x.7.24": (
        "SPF could not be evaluated.",
        "Check the record: one only, no syntax error, at most ten DNS lookups.",
    ),
    "x.7.25": (
        "The client's address has no proper reverse DNS name.",
        "Have the owner of the address set a PTR record whose name leads back to the address.",
    ),
    "x.7.26": (
        "More than one check of the sender failed, such as SPF and DKIM.",
        "Publish SPF, sign with DKIM, and align one of them with the domain in From (DMARC).",
        "Send a message to a test address that reports the results, and mend what fails.",
    ),
    "x.7.27": (
        "The sender's domain says with a null MX that it accepts no mail, so it cannot get reports.",
        "Use a reverse-path that can receive mail.",
    ),
    "x.7.28": (
        "The server sees a flood of mail.",
        "Send less; look for a stolen account or a script run wild on your side.",
    ),
    "x.7.29": (
        "The ARC chain of the message is not valid.",
        "Check the hosts that forwarded it: one changed the message without sealing it rightly.",
    ),
    "x.7.30": (
        "The message demands REQUIRETLS, and the next host does not offer it.",
        "Send it without REQUIRETLS if you may, or to a host that supports it.",
    ),
}

# Subject and detail of the enhanced status code that goes with a reply code whose sender gave none:
# it claims no more than the reply code does.  The class is the reply code's first digit.
DEFAULTS: dict[str, str] = {
    "235": "7.0",
    "250 MAIL": "1.0",
    "250 RCPT": "1.5",
    "251": "1.5",
    "421": "3.2",
    "422": "7.12",
    "432": "7.12",
    "450": "2.0",
    "450 MAIL": "1.0",
    "450 content": "7.0",
    "451": "3.0",
    "452": "3.1",
    "452 RCPT": "5.3",
    "454": "7.0",
    "455": "5.4",
    "458": "3.0",
    "459": "7.0",
    "500": "5.2",
    "501": "5.4",
    "501 AUTH": "5.2",
    "502": "5.1",
    "503": "5.1",
    "504": "5.4",
    "521": "3.2",
    "523": "7.10",
    "524": "7.11",
    "525": "7.13",
    "530": "7.0",
    "534": "7.9",
    "535": "7.8",
    "538": "7.11",
    "550 MAIL": "7.1",
    "550 RCPT": "1.0",
    "550 content": "7.1",
    "551": "1.6",
    "552": "3.4",
    "552 RCPT": "2.2",
    "553": "1.3",
    "553 MAIL": "1.7",
    "555": "5.4",
    "556": "1.10",
}

# Where the first digit does not say whether trying again can help.
RETRY: dict[str, bool] = {
    "422": False,
    "432": False,
    "459": False,
    "552 RCPT": True,  # RFC 5321 section 4.5.3.1.10
    "552 5.5.3": True,
}

# What is spoken of, where an enhanced status code says why.
SUBJECTS = {
    "greeting": "this connection",
    "EHLO": "this client",
    "MAIL": "this sender",
    "RCPT": "this recipient",
    "content": "this message",
    "AUTH": "this login",
    "STARTTLS": "to begin TLS",
}
VERDICTS = {"2": "accepts", "4": "puts off", "5": "refuses"}

PLACES = {"HELO": "EHLO", "LHLO": "EHLO", "DATA": "content", "BDAT": "content", "BURL": "content"}
STATUS_CODE = re.compile(r"([245])\.([0-9]{1,3})\.([0-9]{1,3})", re.ASCII)
WIDTH = 96


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a reply means, for people who look for the reason of a failure.

    Arguments:
        code: the reply code; 0 where only an enhanced status code is known.
        enhanced: the enhanced status code; empty where there is none.
        meaning: what it says.
        check: what to check or to do, the likeliest first; "Operator:" marks what only the server's
            side can do.
        retry: whether trying again can help.
    """

    code: int
    enhanced: str
    meaning: str
    check: tuple[str, ...]
    retry: bool

    @property
    def title(self) -> str:
        """The codes, and in a word what they stand for."""
        codes = f"{self.code or ''} {self.enhanced}".strip()
        kind = (str(self.code) if self.code else self.enhanced)[:1]
        if kind == "4":
            kind += "+" if self.retry else "-"
        elif kind == "5" and self.retry:
            kind += "+"
        return f"{codes}: {KINDS.get(kind, 'no reply code of SMTP')}"

    def __str__(self) -> str:
        lines = [self.title, *_wrap(self.meaning, "  ", "  ")]
        for text in self.check:
            lines += _wrap(text, "  - ", "    ")
        return "\n".join(lines)


KINDS = {
    "2": "done",
    "3": "go on",
    "4+": "not now; trying again later can help",
    "4-": "not now; trying the same again does not help",
    "5": "refused; trying the same again does not help",
    "5+": "refused; trying again in another way can help",
}


def _wrap(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=others)


def _place(verb: str) -> str:
    """Where a verb stands in the table."""
    name = verb if verb in SUBJECTS else verb.upper()
    return PLACES.get(name, name)


def default_enhanced(code: int, verb: str) -> str:
    """The enhanced status code for a reply that was given none (RFC 2034 section 4).

    Arguments:
        code: the reply code.
        verb: what the reply answers; "" if that is no command.

    Returns:
        The general code of this kind, such as "5.5.4"; empty for 3xx, which has none.
    """
    kind = code // 100
    if kind not in {2, 4, 5}:
        return ""
    detail = DEFAULTS.get(f"{code} {_place(verb)}") or DEFAULTS.get(str(code), "0.0")
    return f"{kind}.{detail}"


def explain(code: int, enhanced: str = "", verb: str = "") -> Explanation:
    """What a reply means and what to check; never an error, whatever the arguments.

    Arguments:
        code: the reply code; 0 if only an enhanced status code is known.
        enhanced: the enhanced status code; one that is malformed is left out.
        verb: what the reply answers, "greeting" and "content" among it; "" if unknown.
    """
    place = _place(verb)
    status = STATUS_CODE.fullmatch(enhanced)
    enhanced = enhanced if status is not None else ""
    meaning, *check = _texts(code, status, place)
    keys = [f"{code} {enhanced}", str(code)] if enhanced else [f"{code} {place}", str(code)]
    kind = enhanced[:1] if code == 0 else str(code)[:1]
    retry = next((RETRY[key] for key in keys if key in RETRY), kind == "4")
    return Explanation(code, enhanced, meaning, tuple(check), retry)


def _first(*keys: str) -> tuple[str, ...]:
    return next((MEANINGS[key] for key in keys if key in MEANINGS), ())


def _texts(code: int, status: re.Match[str] | None, place: str) -> tuple[str, ...]:
    """Meaning and checks."""
    alone = _first(f"{code} {place}", str(code), f"{code // 100}xx")
    if status is None:
        return alone or ("This is no reply code of SMTP (RFC 5321 section 4.2).",)
    both = _first(f"{code} {status[0]} {place}", f"{code} {status[0]}")
    if both:
        return both
    kind, subject, detail = status.groups()
    if code and kind != str(code)[:1]:
        meaning, *check = alone or ("This is no reply code of SMTP (RFC 5321 section 4.2).",)
        mismatch = f" The class of {status[0]} contradicts it; the reply code counts."
        return (meaning + mismatch, *check)
    meaning, *check = _first(status[0], f"x.{subject}.{detail}", f"x.{subject}.x", "x.0.x")
    if detail == "0":
        # No detail: what the reply code says is worth as much.
        return (f"{alone[0]} {meaning}" if alone else meaning, *check, *alone[1:])
    if place in SUBJECTS and code:
        meaning = f"The server {VERDICTS[kind]} {SUBJECTS[place]}. {meaning}"
    return (meaning, *check)
