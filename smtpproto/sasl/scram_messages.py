"""The messages of SCRAM as values (RFC 5802 sections 5.1 and 7).

Each parser splits once at commas, so it takes linear time.  It refuses mandatory extensions ("m="),
because none are defined, and ignores optional ones (section 5.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..grammar.lazy_pattern import lazy_pattern
from .errors import SASLError, SASLRefused
from .message_text import decode, from_base64, unquote

__all__ = ["ClientFinal", "ClientFirst", "ServerFirst", "raise_error"]

# A whole message; a line of an exchange has 12288 octets of base64 (RFC 4954 section 4).
MESSAGE = 9216

# gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
FLAG = lazy_pattern(r"p=[A-Za-z0-9.-]+|n|y")
# printable = %x21-2B / %x2D-7E
NONCE = lazy_pattern(r"[!-+\--~]+")
# attr-val = ALPHA "=" value; value = 1*value-char, which is any but NUL and ","
EXTENSION = lazy_pattern(r"[A-Za-z]=[^,\0]+")
# posit-number = %x31-39 *DIGIT; more digits would only cost time
COUNT = lazy_pattern(r"[1-9][0-9]{0,9}")

# server-error-value (RFC 5802 section 7); others count as "other-error".
SERVER_ERRORS = frozenset(
    {"invalid-encoding", "extensions-not-supported", "invalid-proof", "no-resources"}
    | {"channel-bindings-dont-match", "server-does-support-channel-binding", "unknown-user"}
    | {"channel-binding-not-supported", "unsupported-channel-binding-type", "other-error"}
    | {"invalid-username-encoding"}
)


def attribute(part: str | None, name: str) -> str:
    """Return the value of an attribute that must come next.

    Arguments:
        part: one piece of a message, or None if the message has ended.
        name: the attribute's letter.

    Raises:
        SASLError: it is another attribute, a mandatory extension, or empty.
    """
    if part is not None and part.startswith("m="):
        raise SASLError("SCRAM: a mandatory extension is not supported (RFC 5802 section 5.1)")
    if part is None or not part.startswith(f"{name}=") or len(part) < 3 or "\0" in part:
        raise SASLError(f'SCRAM: expected attribute "{name}", found another (RFC 5802 section 7)')
    return part[2:]


def nonce_of(part: str | None) -> str:
    """Return the value of the attribute "r".

    Raises:
        SASLError: it is not a nonce.
    """
    nonce = attribute(part, "r")
    if NONCE.fullmatch(nonce) is None:
        raise SASLError(
            "SCRAM: expected a printable nonce, found another text (RFC 5802 section 7)"
        )
    return nonce


def split(message: bytes, least: int) -> list[str | None]:
    """Return the attributes of a message, padded with None."""
    parts: list[str | None] = list(decode(message, "SCRAM message", MESSAGE).split(","))
    return parts + [None] * (least - len(parts))


def check_extensions(parts: Sequence[str | None]) -> None:
    """Check optional extensions; their content is ignored.

    Raises:
        SASLError: one is malformed or mandatory.
    """
    for part in parts:
        if part is None or EXTENSION.fullmatch(part) is None or part.startswith("m="):
            raise SASLError("SCRAM: expected an optional extension (RFC 5802 section 5.1)")


@dataclass(frozen=True, slots=True)
class ClientFirst:
    """client-first-message.

    Arguments:
        flag: "n", "y", or "p=" with the type of channel binding.
        header: gs2-header, which the client repeats in its last message.
        bare: client-first-message-bare.
        authorization: the authorization identity, "" if it is not given.
        username: the authentication identity, not prepared.
        nonce: the client's nonce.
    """

    flag: str
    header: str
    bare: str
    authorization: str
    username: str
    nonce: str

    @classmethod
    def parse(cls, message: bytes) -> ClientFirst:
        """Read the message.

        Raises:
            SASLError: the octets are malformed.
        """
        flag, authzid, name, nonce, *extensions = split(message, 4)
        if flag is None or FLAG.fullmatch(flag) is None:
            raise SASLError("SCRAM: expected a channel binding flag (RFC 5802 section 7)")
        authorization = unquote(attribute(authzid, "a")) if authzid else ""
        username = unquote(attribute(name, "n"))
        client_nonce = nonce_of(nonce)
        check_extensions(extensions)
        header = f"{flag},{authzid},"
        bare = message.decode().removeprefix(header)
        return cls(flag, header, bare, authorization, username, client_nonce)


@dataclass(frozen=True, slots=True)
class ServerFirst:
    """server-first-message.

    Arguments:
        nonce: the client's nonce, followed by the server's.
        salt: the salt, in octets.
        iterations: the iteration count of PBKDF2.
    """

    nonce: str
    salt: bytes = field(repr=False)
    iterations: int

    @classmethod
    def parse(cls, message: bytes) -> ServerFirst:
        """Read the message.

        Raises:
            SASLError: the octets are malformed.
        """
        first, salt, iterations, *extensions = split(message, 3)
        nonce = nonce_of(first)
        octets = from_base64(attribute(salt, "s"), "SCRAM salt")
        count = attribute(iterations, "i")
        if COUNT.fullmatch(count) is None:
            raise SASLError("SCRAM: expected an iteration count (RFC 5802 section 7)")
        check_extensions(extensions)
        return cls(nonce, octets, int(count))


@dataclass(frozen=True, slots=True)
class ClientFinal:
    """client-final-message.

    Arguments:
        binding: channel-binding as received, in base64.
        nonce: both sides' nonces.
        unproven: client-final-message-without-proof.
        proof: octets.
    """

    binding: str
    nonce: str
    unproven: str
    proof: bytes = field(repr=False)

    @classmethod
    def parse(cls, message: bytes) -> ClientFinal:
        """Read the message.

        Raises:
            SASLError: the octets are malformed.
        """
        binding, nonce, *extensions, proof = split(message, 3)
        octets = from_base64(attribute(proof, "p"), "SCRAM proof")
        both = nonce_of(nonce)
        check_extensions(extensions)
        unproven = message.decode().rpartition(",")[0]
        return cls(attribute(binding, "c"), both, unproven, octets)


def raise_error(message: bytes) -> None:
    """Raise the error in a server-final-message, if there is one (RFC 5802 section 5.1)."""
    if message.startswith(b"e="):
        value = message[2:].partition(b",")[0].decode(errors="replace")
        known = value if value in SERVER_ERRORS else "other-error"
        raise SASLRefused(f"the server reports {known} (RFC 5802 section 5.1)")
