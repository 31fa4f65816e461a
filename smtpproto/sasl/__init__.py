"""SASL mechanisms, both halves of each, without I/O, clock or randomness (RFC 4422).

A mechanism is an object with two generators (`mechanism`); `ClientExchange` and `ServerExchange`
drive them.  The AUTH extension adds what SMTP needs for an exchange: base64 and reply codes.
"""

from __future__ import annotations

from .anonymous import Anonymous
from .cram_md5 import CramMD5
from .credential_store import Users
from .credentials import CHANNEL_BINDINGS, Context, Credentials, Identity
from .errors import SASLError, SASLRefused
from .exchange import UNEXPLAINED, ClientExchange, ServerExchange
from .external import External
from .login import Login
from .mechanism import (
    ClientHalf,
    Mechanism,
    ServerHalf,
    authorized,
    decode,
    expect_challenge,
    expect_success,
)
from .mechanism_choice import MECHANISMS, available, choose, known_mechanisms, obstacles
from .oauthbearer import OAuthBearer
from .plain import Plain
from .questions import (
    AdmitAnonymous,
    Authorize,
    Challenge,
    CheckPassword,
    CheckToken,
    CredentialStore,
    FetchSecret,
    Question,
    Request,
    TokenRefused,
    decided,
)
from .saslprep import prepare
from .scram import ScramSHA1, ScramSHA1Plus, ScramSHA256, ScramSHA256Plus
from .scram_keys import ScramKeys, scram_keys, unknown_user_keys
from .xoauth2 import XOAuth2

__all__ = [
    "CHANNEL_BINDINGS",
    "MECHANISMS",
    "UNEXPLAINED",
    "AdmitAnonymous",
    "Anonymous",
    "Authorize",
    "Challenge",
    "CheckPassword",
    "CheckToken",
    "ClientExchange",
    "ClientHalf",
    "Context",
    "CramMD5",
    "CredentialStore",
    "Credentials",
    "External",
    "FetchSecret",
    "Identity",
    "Login",
    "Mechanism",
    "OAuthBearer",
    "Plain",
    "Question",
    "Request",
    "SASLError",
    "SASLRefused",
    "ScramKeys",
    "ScramSHA1",
    "ScramSHA1Plus",
    "ScramSHA256",
    "ScramSHA256Plus",
    "ServerExchange",
    "ServerHalf",
    "TokenRefused",
    "Users",
    "XOAuth2",
    "authorized",
    "available",
    "choose",
    "decided",
    "decode",
    "expect_challenge",
    "expect_success",
    "known_mechanisms",
    "obstacles",
    "prepare",
    "scram_keys",
    "unknown_user_keys",
]
