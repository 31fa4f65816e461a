"""Authentication information for SCRAM (RFC 5802 sections 2.1 and 3)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from .saslprep import prepare

__all__ = ["ITERATIONS", "ScramKeys", "algorithm_of", "salted", "scram_keys", "unknown_user_keys"]

# What RFC 7677 section 4 asks for at least; about 1 ms.
ITERATIONS = 4096
SALT = 16  # octets


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What a server stores instead of a password; it does not suffice to log in.

    Arguments:
        algorithm: the hash function as `hashlib` calls it, such as "sha256".
        salt: octets, different for each user.
        iterations: how often PBKDF2 hashes.
        stored_key: verifies the client.
        server_key: proves the server to the client.

    Raises:
        ValueError: the keys do not fit the algorithm, or a count is below 1.
    """

    algorithm: str
    salt: bytes = field(repr=False)
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        size = hashlib.new(self.algorithm).digest_size
        if {len(self.stored_key), len(self.server_key)} != {size}:
            raise ValueError(f"keys for {self.algorithm} have {size} octets (RFC 5802 section 3)")
        if self.iterations < 1 or not self.salt:
            raise ValueError("expected a salt and a positive iteration count (RFC 5802 section 7)")


def salted(password: str, salt: bytes, iterations: int, algorithm: str) -> bytes:
    """SaltedPassword of RFC 5802 section 3.

    Raises:
        SASLError: the password cannot be prepared.
    """
    prepared = prepare(password, stored=True).encode()
    return hashlib.pbkdf2_hmac(algorithm, prepared, salt, iterations)


def scram_keys(
    password: str, salt: bytes, iterations: int = ITERATIONS, algorithm: str = "sha256"
) -> ScramKeys:
    """The keys that go with a password.

    Arguments:
        password: prepared here.
        salt: 16 random octets, new for each user and password.
        iterations: at least 4096 (RFC 7677 section 4).
        algorithm: "sha256", or "sha1" for SCRAM-SHA-1.

    Raises:
        SASLError: the password cannot be prepared.
    """
    salted_password = salted(password, salt, iterations, algorithm)
    client_key = hmac.digest(salted_password, b"Client Key", algorithm)
    stored_key = hashlib.new(algorithm, client_key).digest()
    server_key = hmac.digest(salted_password, b"Server Key", algorithm)
    return ScramKeys(algorithm, salt, iterations, stored_key, server_key)


def unknown_user_keys(
    secret: bytes, mechanism: str, username: str, iterations: int = ITERATIONS
) -> ScramKeys:
    """Keys for a user that does not exist: the same each time, and of no password.

    Arguments:
        secret: octets that nobody else knows and that outlive a restart.
        mechanism: as in `FetchSecret`.
        username: as in `FetchSecret`.
        iterations: what real users have.
    """
    algorithm = algorithm_of(mechanism)

    def draw(purpose: bytes) -> bytes:
        context = b"\0".join([purpose, algorithm.encode(), username.encode()])
        return hmac.digest(secret, context, algorithm)

    salt = draw(b"salt")[:SALT]
    return ScramKeys(algorithm, salt, iterations, draw(b"stored"), draw(b"server"))


def algorithm_of(mechanism: str) -> str:
    """What `hashlib` calls the hash function of a SCRAM mechanism."""
    return mechanism.removeprefix("SCRAM-").replace("-", "").lower()
