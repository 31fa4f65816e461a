"""The grammar of commands as patterns: RFC 5321 sections 4.1.2 and 4.1.3.

Each production stands in a comment above its pattern.  Names that end in `_UTF8` are the forms of
RFC 6531 section 3.3.  `vocabulary/addresses.py` defines what the parts mean.

No pattern has two ways to read the same text, so that matching takes linear time on any input.

Where this differs from the letter of the RFC: UTF8-non-ascii excludes the C1 controls, which RFC
5198 section 2 bans from network text, and U+2028 and U+2029, as many programs take these for the
end of a line.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from .lazy_pattern import lazy_pattern

if TYPE_CHECKING:
    import ipaddress

__all__ = [
    "DCONTENT",
    "DOMAIN",
    "DOT_STRING",
    "DOT_STRING_UTF8",
    "ESMTP_KEYWORD",
    "ESMTP_VALUE",
    "ESMTP_VALUE_UTF8",
    "FULL_MAILBOX",
    "GENERAL_ADDRESS_LITERAL",
    "IPV4_ADDRESS",
    "MOST_IN_LABEL",
    "QCONTENT",
    "QCONTENT_UTF8",
    "QUOTED_PAIR",
    "SUB_DOMAIN",
    "SUB_DOMAIN_UTF8",
    "ipv4_address",
    "ipv6_address",
    "is_label_too_long",
    "outside_u_label",
]

# RFC 6532 section 3.1
#   UTF8-non-ascii  = UTF8-2 / UTF8-3 / UTF8-4
# without C1 controls, line and paragraph separators; surrogates are no characters at all.  Patterns
# say what they exclude, because `re` takes ten times as long to compile a range up to U+10FFFF.
_NO_TEXT = r"\x7f-\x9f\u2028\u2029\ud800-\udfff"

# RFC 5321 section 4.1.2
#   sub-domain      = Let-dig [Ldh-str]
#   Let-dig         = ALPHA / DIGIT
#   Ldh-str         = *( ALPHA / DIGIT / "-" ) Let-dig
# RFC 6531 section 3.3
#   sub-domain     =/ U-label
# These two find the end of a label only; `is_label_too_long` and `outside_u_label` check the rest.
SUB_DOMAIN = lazy_pattern(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_LET_DIG_UTF8 = rf"[^\x00-/:-@\[-`{{-~{_NO_TEXT}]"
SUB_DOMAIN_UTF8 = lazy_pattern(
    rf"{_LET_DIG_UTF8}(?:[^\x00-,./:-@\[-`{{-~{_NO_TEXT}]*{_LET_DIG_UTF8})?"
)

# RFC 1035 section 2.3.4: a label has at most 63 octets.
MOST_IN_LABEL = 63
_SUB_DOMAIN = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"

#   Domain          = sub-domain *("." sub-domain)
_DOMAIN = rf"{_SUB_DOMAIN}(?:\.{_SUB_DOMAIN})*"
DOMAIN = lazy_pattern(_DOMAIN)

# RFC 5322 section 3.2.3
#   atext           = ALPHA / DIGIT / any of !#$%&'*+-/=?^_`{|}~
# RFC 6531 section 3.3
#   atext          =/ UTF8-non-ascii
_ATEXT = r"A-Za-z0-9!#$%&'*+\-/=?^_`{|}~"
_ATEXT_UTF8 = rf'[^\x00-\x20"(),.:;<>@\[\\\]{_NO_TEXT}]'

# RFC 5321 section 4.1.2
#   Dot-string      = Atom *("." Atom)
#   Atom            = 1*atext
_DOT_STRING = rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*"
DOT_STRING = lazy_pattern(_DOT_STRING)
DOT_STRING_UTF8 = lazy_pattern(rf"{_ATEXT_UTF8}+(?:\.{_ATEXT_UTF8}+)*")

#   Quoted-string   = DQUOTE *QcontentSMTP DQUOTE
#   QcontentSMTP    = qtextSMTP / quoted-pairSMTP
#   qtextSMTP       = %d32-33 / %d35-91 / %d93-126
#   quoted-pairSMTP = %d92 %d32-126
# RFC 6531 section 3.3
#   qtextSMTP      =/ UTF8-non-ascii
# so a backslash stands before an ASCII character only.  The patterns leave out the quotes.
_QTEXT = r" !#-\[\]-~"
QCONTENT = lazy_pattern(rf"[{_QTEXT}]*(?:\\[ -~][{_QTEXT}]*)*")
_QTEXT_UTF8 = rf'[^\x00-\x1f"\\{_NO_TEXT}]'
QCONTENT_UTF8 = lazy_pattern(rf"{_QTEXT_UTF8}*(?:\\[ -~]{_QTEXT_UTF8}*)*")
QUOTED_PAIR = lazy_pattern(r"\\(.)", re.DOTALL)

#   Mailbox         = Local-part "@" ( Domain / address-literal )
#   Path            = "<" [ A-d-l ":" ] Mailbox ">"
# The most common form of a path: without source route, quotes and address literal.
FULL_MAILBOX = lazy_pattern(rf"<({_DOT_STRING})@({_DOMAIN})>")

# RFC 5321 section 4.1.3
#   IPv4-address-literal    = Snum 3("." Snum)
#   Snum                    = 1*3DIGIT  ; a decimal integer value in the range 0 through 255
# A number of three digits may begin with zeros; it is still decimal.
_SNUM = r"(?:25[0-5]|2[0-4][0-9]|[01][0-9][0-9]|[0-9]{1,2})"
IPV4_ADDRESS = lazy_pattern(rf"{_SNUM}(?:\.{_SNUM}){{3}}")

#   General-address-literal = Standardized-tag ":" 1*dcontent
#   Standardized-tag        = Ldh-str
#   dcontent                = %d33-90 / %d94-126
DCONTENT = lazy_pattern(r"[!-Z^-~]+")
GENERAL_ADDRESS_LITERAL = lazy_pattern(r"[A-Za-z0-9-]*[A-Za-z0-9]:[!-Z^-~]+")

# RFC 5321 section 4.1.2
#   esmtp-keyword   = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-")
#   esmtp-value     = 1*(%d33-60 / %d62-126)
# RFC 6531 section 3.3
#   esmtp-value    =/ UTF8-non-ascii
ESMTP_KEYWORD = lazy_pattern(r"[A-Za-z0-9][A-Za-z0-9-]*")
ESMTP_VALUE = lazy_pattern(r"[!-<>-~]+")
ESMTP_VALUE_UTF8 = lazy_pattern(rf"[^\x00-\x20={_NO_TEXT}]+")


_IPV6_GROUPS = lazy_pattern(r"[0-9A-Fa-f:]+")

# RFC 5892 section 2.1, LetterDigits: the categories whose characters a U-label is made of;
# and of section 2.6 and 2.7 those that are valid in some context.
_LETTER_DIGITS = frozenset({"Ll", "Lu", "Lo", "Nd", "Lm", "Mn", "Mc"})
_CONTEXTUAL = frozenset("\u00b7\u0375\u05f3\u05f4\u06fd\u06fe\u0f0b\u200c\u200d\u3007\u30fb")


def outside_u_label(domain: str) -> int:
    """Return the offset of the first character that no U-label can have (RFC 5890 2.3.2.1).

    Arguments:
        domain: text that `SUB_DOMAIN_UTF8` matches, label by label.

    Returns:
        The offset, or -1.  Text that passes may still be no U-label; only the tables of IDNA tell.
        But it has no separators, symbols or compatibility forms, some of which other programs
        convert to ASCII punctuation.
    """
    for at, character in enumerate(domain):
        if character.isascii() or character in _CONTEXTUAL:
            continue
        if unicodedata.category(character) not in _LETTER_DIGITS:
            return at
        small = character.lower()
        if unicodedata.normalize("NFKC", small) != small:
            return at
    return -1


def is_label_too_long(label: str) -> bool:
    """Return whether a label has more than 63 octets (RFC 1035 section 2.3.4).

    Arguments:
        label: text that `SUB_DOMAIN_UTF8` matches.  A U-label counts as the A-label that it
            stands for (RFC 5890 section 2.3.2.1).
    """
    # An A-label is never shorter than its U-label has characters, so most labels need no IDNA.
    if label.isascii() or len(label) > MOST_IN_LABEL:
        return len(label) > MOST_IN_LABEL
    return len("xn--") + len(label.encode("punycode")) > MOST_IN_LABEL


def ipv4_address(text: str) -> ipaddress.IPv4Address | None:
    """Return the address, or None; leading zeros are decimal (RFC 5321 section 4.1.3)."""
    if IPV4_ADDRESS.fullmatch(text) is None:
        return None
    import ipaddress  # noqa: PLC0415  few sessions have address literals

    return ipaddress.IPv4Address(bytes(map(int, text.split("."))))


def ipv6_address(text: str) -> ipaddress.IPv6Address | None:
    """Return an address in one of the four forms of RFC 5321 section 4.1.3, or None.

    In these forms `::` stands for at least two groups.
    """
    import ipaddress  # noqa: PLC0415

    groups, _, last = text.rpartition(":")
    ipv4 = ipv4_address(last)
    if ipv4 is not None:
        text = f"{groups}:{int(ipv4) >> 16:x}:{int(ipv4) & 0xFFFF:x}"
    # `ipaddress` allows zone identifiers as well; this refuses them.
    if _IPV6_GROUPS.fullmatch(text) is None:
        return None
    if "::" in text and len(list(filter(None, text.split(":")))) > 6:
        return None
    try:
        return ipaddress.IPv6Address(text)
    except ValueError:
        return None
