"""Reading a command line: RFC 5321 section 4.1.1."""

from __future__ import annotations

from ..errors import LocalProtocolError
from .command_base import Command, Grammar

__all__ = ["parse"]

_BAD = (500, "5.5.2")


# RFC 6531 section 3.5: such an address is refused, not the command.
_NOT_ASCII = {b"MAIL ": (550, "5.6.7"), b"RCPT ": (553, "5.6.7")}


def parse(line: bytes, grammar: Grammar) -> Command:
    """Read a command line.

    Arguments:
        line: the line without its CRLF.
        grammar: the verbs and parameters in use.

    Raises:
        LocalProtocolError: with the code of the reply: 500 for an unknown command, 502 for a
            command that is not in use here, else the code of the command's own error (RFC 5321
            section 4.2.4).
    """
    try:
        text = line.decode("utf-8" if grammar.utf8 else "ascii")
    except UnicodeDecodeError as error:
        code, enhanced = _BAD if grammar.utf8 else _NOT_ASCII.get(line[:5].upper(), _BAD)
        raise LocalProtocolError(
            f"expected {'UTF-8' if grammar.utf8 else 'ASCII'}, found octet "
            f"0x{line[error.start]:02x} at offset {error.start} (RFC 5321 section 2.4)",
            code=code,
            enhanced=enhanced,
        ) from None
    # Section 4.1.1 asks servers to tolerate white space before the CRLF.
    verb, _, arguments = text.rstrip(" \t").partition(" ")
    # `upper` maps some other characters to ASCII, such as the dotless i.
    name = verb.upper() if verb.isascii() else ""
    kind = grammar.verbs.get(name)
    if kind is None:
        if name in grammar.known:
            raise LocalProtocolError(f"{name} is not implemented here", code=502, enhanced="5.5.1")
        # After a failed authentication a stray line may hold a secret.  So errors and logs repeat
        # a line only if it looks like a verb.
        shown = f"'{verb}'" if len(name) <= 10 and name.isalpha() else "the line"
        raise LocalProtocolError(
            f"{shown} is not a command (RFC 5321 section 4.1.1)", code=500, enhanced="5.5.2"
        )
    return kind.parse(arguments, grammar)
