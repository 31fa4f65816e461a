"""SCRAM (RFC 5802, RFC 7677): both sides prove that they know a password; neither sends it."""

from __future__ import annotations

import hashlib
import hmac
import operator
from typing import Any, ClassVar

from ..grammar.encodings import encode_base64
from .credentials import USUAL_BINDINGS, Context, Credentials
from .errors import SASLError, SASLRefused
from .mechanism import (
    ClientHalf,
    Mechanism,
    ServerHalf,
    authorized,
    expect_challenge,
    expect_success,
    password_obstacle,
    preparation_obstacle,
)
from .message_text import presented, quote
from .questions import Challenge, FetchSecret
from .saslprep import prepare
from .scram_keys import ITERATIONS, ScramKeys, salted, scram_keys
from .scram_messages import NONCE, ClientFinal, ClientFirst, ServerFirst, raise_error

__all__ = ["ScramSHA1", "ScramSHA1Plus", "ScramSHA256", "ScramSHA256Plus"]

# With fewer iterations a false server can try passwords fast: RFC 5802 section 5.1 and RFC 7677
# section 4 require 4096 of servers.  With more than the maximum, which takes about a second, a
# server can waste the client's time.
MINIMUM_ITERATIONS = 4096
MAXIMUM_ITERATIONS = 4_000_000


class Scram(Mechanism):
    """A mechanism of the SCRAM family; subclasses set the hash function.

    Attributes:
        algorithm: the name of the hash function in `hashlib`.
        family: the mechanism's name without "-PLUS".
        plus: whether it binds to the channel.
    """

    __slots__ = ()
    algorithm: ClassVar[str]
    family: ClassVar[str]
    plus: ClassVar[bool] = False
    asks = (FetchSecret,)

    def obstacle(self, credentials: Credentials, context: Context) -> str | None:
        if self.plus and context.binding is None:
            return "the channel gives nothing to bind to"
        if not self.plus and context.binding and f"{self.family}-PLUS" in context.offered:
            return "the server offers it with channel binding (RFC 5802 section 6)"
        return password_obstacle(credentials) or preparation_obstacle(credentials, stored=True)

    def offered_in(self, context: Context) -> bool:
        return not self.plus or any(context.channel_bindings.values())

    def offered_unasked(self, context: Context) -> bool:
        # SMTP gives clients no way to ask for the supported types of channel binding.  So the
        # server must support the default type: RFC 5802 section 6.1, RFC 9266 section 3.
        return not self.plus or any(context.channel_bindings.get(kind) for kind in USUAL_BINDINGS)

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        nonce = fresh_nonce(context)
        flag, data = self._bind(context)
        acting = credentials.authorization
        header = f"{flag},a={quote(acting)}," if acting else f"{flag},,"
        bare = f"n={quote(prepare(credentials.username))},r={nonce}"
        challenge = expect_challenge(self, (yield (header + bare).encode()))

        raise_error(challenge)
        first = ServerFirst.parse(challenge)
        check_offer(first, nonce)
        password = salted(credentials.password or "", first.salt, first.iterations, self.algorithm)
        unproven = f"c={encode_base64(header.encode() + data)},r={first.nonce}"
        signed = f"{bare},{challenge.decode()},{unproven}".encode()
        client_key = hmac.digest(password, b"Client Key", self.algorithm)
        stored_key = hashlib.new(self.algorithm, client_key).digest()
        proof = xor(client_key, hmac.digest(stored_key, signed, self.algorithm))
        challenge = expect_challenge(self, (yield f"{unproven},p={encode_base64(proof)}".encode()))

        raise_error(challenge)
        server_key = hmac.digest(password, b"Server Key", self.algorithm)
        expected = f"v={encode_base64(hmac.digest(server_key, signed, self.algorithm))}"
        if not hmac.compare_digest(challenge.partition(b",")[0], expected.encode()):
            raise SASLError(
                "SCRAM: expected the server's proof that it knows the password, found another text"
                " (RFC 5802 section 3)"
            )
        # SMTP carries no data with success, so the proof came as a challenge (RFC 4954 section 4).
        expect_success(self, (yield b""))

    def server(self, context: Context) -> ServerHalf:
        first = ClientFirst.parse((yield Challenge(b"")))
        data = self._check_flag(first.flag, context)
        username = presented(first.username)
        server_nonce = fresh_nonce(context)
        answer = yield FetchSecret(self.family, username)
        keys = self._keys(answer, server_nonce)
        nonce = first.nonce + server_nonce
        offer = f"r={nonce},s={encode_base64(keys.salt)},i={keys.iterations}"

        final = ClientFinal.parse((yield Challenge(offer.encode())))
        bound = f"{encode_base64(first.header.encode() + data)} {nonce}"
        if not hmac.compare_digest(f"{final.binding} {final.nonce}".encode(), bound.encode()):
            raise SASLRefused(
                "channel binding or nonce are not this exchange's (RFC 5802 section 6)"
            )
        signed = f"{first.bare},{offer},{final.unproven}".encode()
        signature = hmac.digest(keys.stored_key, signed, self.algorithm)
        client_key = xor(final.proof, signature)
        stored_key = hashlib.new(self.algorithm, client_key).digest()
        proven = hmac.compare_digest(stored_key, keys.stored_key)
        if not proven or len(final.proof) != len(signature) or answer is None:
            raise SASLRefused
        identity = yield from authorized(username, first.authorization)
        verifier = hmac.digest(keys.server_key, signed, self.algorithm)
        if (yield Challenge(f"v={encode_base64(verifier)}".encode())):
            raise SASLError("SCRAM: expected an empty response at the end (RFC 4954 section 4)")
        return identity

    def _bind(self, context: Context) -> tuple[str, bytes]:
        """Return the client's gs2-cbind-flag, and the data it binds to (RFC 5802 section 6)."""
        kind = context.binding
        if self.plus:
            if kind is None:
                raise SASLError(f"{self.name}: the channel gives nothing to bind to (RFC 5056)")
            return f"p={kind}", context.channel_bindings[kind]
        # "y" lets a server that offers "-PLUS" notice that an attacker removed it from the list.
        return ("y" if kind and f"{self.family}-PLUS" not in context.offered else "n"), b""

    def _check_flag(self, flag: str, context: Context) -> bytes:
        """Return the data that a client with this flag binds to (RFC 5802 section 6)."""
        if self.plus != flag.startswith("p="):
            raise SASLRefused(
                f"{self.name} does not go with this channel binding (RFC 5802 section 6)"
            )
        if self.plus:
            data = context.channel_bindings.get(flag[2:])
            if not data:
                raise SASLRefused(
                    "the type of channel binding is not supported (RFC 5802 section 6)"
                )
            return data
        if flag == "y" and any(context.channel_bindings.values()):
            offered = not context.offered or f"{self.family}-PLUS" in context.offered
            if offered:
                raise SASLRefused(
                    "an attacker hid that channel binding is offered (RFC 5802 section 6)"
                )
        return b""

    def _keys(self, answer: Any, nonce: str) -> ScramKeys:
        """Return keys from the store's answer; passwords and unknown users take the same time."""
        if isinstance(answer, ScramKeys) and answer.algorithm == self.algorithm:
            return answer
        if answer is not None and not isinstance(answer, str):
            kind = type(answer).__name__
            raise TypeError(
                f"fetch_secret: expected {self.algorithm} keys, a password or None, found {kind}"
            )
        salt = hashlib.new(self.algorithm, nonce.encode()).digest()[:16]
        return scram_keys(nonce if answer is None else answer, salt, ITERATIONS, self.algorithm)


class ScramSHA1(Scram):
    """SCRAM-SHA-1, without channel binding (RFC 5802)."""

    __slots__ = ()
    name = family = "SCRAM-SHA-1"
    algorithm = "sha1"
    strength = 70


class ScramSHA1Plus(ScramSHA1):
    """SCRAM-SHA-1-PLUS, with channel binding (RFC 5802)."""

    __slots__ = ()
    name = "SCRAM-SHA-1-PLUS"
    plus = True
    strength = 90


class ScramSHA256(Scram):
    """SCRAM-SHA-256, without channel binding (RFC 7677)."""

    __slots__ = ()
    name = family = "SCRAM-SHA-256"
    algorithm = "sha256"
    strength = 80


class ScramSHA256Plus(ScramSHA256):
    """SCRAM-SHA-256-PLUS, with channel binding (RFC 7677)."""

    __slots__ = ()
    name = "SCRAM-SHA-256-PLUS"
    plus = True
    strength = 95


def fresh_nonce(context: Context) -> str:
    """Return a new nonce.

    Raises:
        ValueError: the context's function returned something else (RFC 5802 section 5.1).
    """
    nonce = context.nonce()
    if NONCE.fullmatch(nonce) is None:
        raise ValueError("expected a nonce of visible ASCII without comma (RFC 5802 section 5.1)")
    return nonce


def check_offer(first: ServerFirst, nonce: str) -> None:
    """Check the server's nonce and iteration count.

    Raises:
        SASLError: the nonce does not begin with ours, or the count is out of bounds.
    """
    if not first.nonce.startswith(nonce) or first.nonce == nonce:
        raise SASLError(
            "SCRAM: expected our nonce with the server's behind it (RFC 5802 section 5.1)"
        )
    if not MINIMUM_ITERATIONS <= first.iterations <= MAXIMUM_ITERATIONS:
        raise SASLError(
            f"SCRAM: expected {MINIMUM_ITERATIONS} to {MAXIMUM_ITERATIONS} iterations,"
            f" found {first.iterations} (RFC 7677 section 4)"
        )


def xor(one: bytes, other: bytes) -> bytes:
    """Combine both octet by octet, up to the shorter length."""
    return bytes(map(operator.xor, one, other))
