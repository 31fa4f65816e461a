"""Keys of SCRAM, which a server stores in place of passwords (RFC 5802 sections 2.1 and 3)."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from .saslprep import prepare

__all__ = ["ITERATIONS", "ScramKeys", "algorithm_of", "salted", "scram_keys", "unknown_user_keys"]

# The minimum of RFC 7677 section 4; takes about 1 ms.
ITERATIONS = 4096
SALT = 16  # octets


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """The keys that a server stores instead of a password; they do not suffice to log in.

    Arguments:
        algorithm: the name of the hash function in `hashlib`, such as "sha256".
        salt: random octets, different for each user.
        iterations: the iteration count of PBKDF2.
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
    """Compute SaltedPassword of RFC 5802 section 3.

    Raises:
        SASLError: SASLprep prohibits a character of the password.
    """
    prepared = prepare(password, stored=True).encode()
    return hashlib.pbkdf2_hmac(algorithm, prepared, salt, iterations)


def scram_keys(
    password: str, salt: bytes, iterations: int = ITERATIONS, algorithm: str = "sha256"
) -> ScramKeys:
    """Return the keys of a password.

    Arguments:
        password: the password; this function applies SASLprep.
        salt: 16 random octets, new for each user and password.
        iterations: at least 4096 (RFC 7677 section 4).
        algorithm: "sha256", or "sha1" for SCRAM-SHA-1.

    Raises:
        SASLError: SASLprep prohibits a character of the password.
    """
    salted_password = salted(password, salt, iterations, algorithm)
    client_key = hmac.digest(salted_password, b"Client Key", algorithm)
    stored_key = hashlib.new(algorithm, client_key).digest()
    server_key = hmac.digest(salted_password, b"Server Key", algorithm)
    return ScramKeys(algorithm, salt, iterations, stored_key, server_key)


def unknown_user_keys(
    secret: bytes, mechanism: str, username: str, iterations: int = ITERATIONS
) -> ScramKeys:
    """Return keys for an unknown user: the same each time, but not of any password.

    Arguments:
        secret: secret octets that stay the same after a restart.
        mechanism: as in `FetchSecret`.
        username: as in `FetchSecret`.
        iterations: the iteration count of real users.
    """
    algorithm = algorithm_of(mechanism)

    def draw(purpose: bytes) -> bytes:
        context = b"\0".join([purpose, algorithm.encode(), username.encode()])
        return hmac.digest(secret, context, algorithm)

    salt = draw(b"salt")[:SALT]
    return ScramKeys(algorithm, salt, iterations, draw(b"stored"), draw(b"server"))


def algorithm_of(mechanism: str) -> str:
    """Return the name in `hashlib` of a SCRAM mechanism's hash function."""
    return mechanism.removeprefix("SCRAM-").replace("-", "").lower()
