"""A credential store in memory, for small servers and for tests."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from .errors import SASLError
from .saslprep import prepare
from .scram_keys import ITERATIONS, ScramKeys, scram_keys, unknown_user_keys

__all__ = ["Users"]

Secret = str | ScramKeys | Sequence[ScramKeys]

# What keys are made for; the first is what PLAIN and LOGIN are verified with.
ALGORITHMS = ("sha256", "sha1")


@dataclass(frozen=True, slots=True)
class Record:
    """What the store knows of a user."""

    keys: Mapping[str, ScramKeys] = field(repr=False)
    password: str | None = field(repr=False)


class Users:
    """A `CredentialStore` over a dict; its answers and their timing do not tell which users exist.

    The store verifies each password with PBKDF2, in about 1 ms; to make keys of a password that is
    given as text takes 2 ms, once.  A client can tell a user whose keys have another iteration
    count than `iterations` from an unknown one, because SCRAM shows the count.

    Arguments:
        users: by name: a password, or keys from `scram_keys`.
        secret: at least 16 secret octets.  Keep them when the server restarts, because the salts of
            unknown users come from them.
        iterations: for passwords and unknown users.
        tokens: identities by bearer token; None serves no tokens.
        delegates: for each user, the other identities it may act as.
        anonymous: whether to admit clients without an identity.

    Raises:
        SASLError: a name or password cannot be prepared.
        ValueError: the secret is too short, or a user has no keys.
    """

    def __init__(
        self,
        users: Mapping[str, Secret],
        *,
        secret: bytes,
        iterations: int = ITERATIONS,
        tokens: Mapping[str, str] | None = None,
        delegates: Mapping[str, Collection[str]] | None = None,
        anonymous: bool = False,
    ) -> None:
        if len(secret) < 16:
            raise ValueError("expected a secret of at least 16 octets")
        self._secret = secret
        self._iterations = iterations
        self._users = {
            name: self._record(name, entry)
            for name, entry in ((prepare(name, stored=True), users[name]) for name in users)
        }
        self._delegates = delegates or {}
        self._anonymous = anonymous
        # By digest: a lookup by the token itself takes longer if its beginning is right.
        self._tokens = {self._digest(token): who for token, who in (tokens or {}).items()}
        # None means that the store has no such method; then the server offers no token mechanism.
        self.check_token = None if tokens is None else self._check_token

    def __repr__(self) -> str:
        return f"<Users: {len(self._users)} users>"

    def check_password(self, username: str, password: str) -> bool:
        record = self._users.get(username)
        keys = self._unknown("SCRAM-SHA-256", username)
        if record is not None:
            keys = next(record.keys[name] for name in ALGORITHMS if name in record.keys)
        try:
            found = scram_keys(password, keys.salt, keys.iterations, keys.algorithm)
        except SASLError:
            return False
        return hmac.compare_digest(found.stored_key, keys.stored_key) and record is not None

    def fetch_secret(self, mechanism: str, username: str) -> ScramKeys | str | None:
        record = self._users.get(username)
        if mechanism == "CRAM-MD5":
            return record.password if record else None
        unknown = self._unknown(mechanism, username)
        return record.keys.get(unknown.algorithm, unknown) if record else unknown

    def authorize(self, authentication: str, authorization: str) -> bool:
        if authentication == authorization:
            return authentication in self._users
        return authorization in self._delegates.get(authentication, ())

    def admit_anonymous(self, trace: str) -> bool:
        return self._anonymous

    def _check_token(self, username: str, token: str) -> str | None:
        return self._tokens.get(self._digest(token))

    def _digest(self, token: str) -> bytes:
        return hmac.digest(self._secret, token.encode(), "sha256")

    def _unknown(self, mechanism: str, username: str) -> ScramKeys:
        return unknown_user_keys(self._secret, mechanism, username, self._iterations)

    def _record(self, name: str, entry: Secret) -> Record:
        if isinstance(entry, str):
            made = {}
            for algorithm in ALGORITHMS:
                # An unknown user of this name would have the same salt.
                salt = self._unknown(algorithm, name).salt
                made[algorithm] = scram_keys(entry, salt, self._iterations, algorithm)
            return Record(made, prepare(entry, stored=True))
        given = [entry] if isinstance(entry, ScramKeys) else entry
        keys = {each.algorithm: each for each in given}
        if not any(algorithm in keys for algorithm in ALGORITHMS):
            raise ValueError("expected a password or keys for SHA-256 or SHA-1 for each user")
        return Record(keys, None)
