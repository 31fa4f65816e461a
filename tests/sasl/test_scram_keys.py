"""Authentication information of SCRAM (RFC 5802 section 3)."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from smtpproto.sasl import SASLError, ScramKeys, scram_keys, unknown_user_keys
from smtpproto.sasl.scram_keys import algorithm_of, salted
from tests.sasl.driver import SECRET


def test_pbkdf2_as_others_compute_it() -> None:
    # RFC 6070: PBKDF2-HMAC-SHA1, P = "password", S = "salt", c = 2 and c = 4096.
    assert salted("password", b"salt", 2, "sha1").hex() == (
        "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957"
    )
    assert salted("password", b"salt", 4096, "sha1").hex() == (
        "4b007901b765489abead49d926f721d065a429c1"
    )


def test_keys_belong_to_the_prepared_password() -> None:
    assert scram_keys("I\u00adX", b"salt") == scram_keys("\u2168", b"salt")
    with pytest.raises(SASLError):
        scram_keys("\x07", b"salt")


def test_keys_tell_the_password_from_others() -> None:
    keys = scram_keys("pencil", base64.b64decode("QSXCR+Q6sek8bf92"), 4096, "sha1")
    assert base64.b64encode(keys.stored_key) == b"6dlGYMOdZcOPutkcNY8U2g7vK9Y="
    assert base64.b64encode(keys.server_key) == b"D+CSWLOshSulAsxiupA+qs2/fTE="
    assert keys.stored_key != scram_keys("pencils", keys.salt, 4096, "sha1").stored_key


@pytest.mark.parametrize(
    "changes",
    [
        {"stored_key": b"x"},
        {"server_key": b"x" * 31},
        {"iterations": 0},
        {"salt": b""},
        {"algorithm": "sha1"},
        {"algorithm": "no such hash"},
    ],
)
def test_impossible_keys(changes: dict[str, Any]) -> None:
    fields: dict[str, Any] = {
        "algorithm": "sha256",
        "salt": b"salt",
        "iterations": 4096,
        "stored_key": b"x" * 32,
        "server_key": b"x" * 32,
    }
    ScramKeys(**fields)
    with pytest.raises(ValueError):
        ScramKeys(**{**fields, **changes})


def test_unknown_users_look_like_known_ones() -> None:
    keys = unknown_user_keys(SECRET, "SCRAM-SHA-256", "nobody", 5000)
    assert keys == unknown_user_keys(SECRET, "SCRAM-SHA-256", "nobody", 5000)
    assert (keys.algorithm, len(keys.salt), keys.iterations) == ("sha256", 16, 5000)
    others = [
        unknown_user_keys(SECRET, "SCRAM-SHA-256", "somebody", 5000),
        unknown_user_keys(SECRET, "SCRAM-SHA-1", "nobody", 5000),
        unknown_user_keys(b"another secret", "SCRAM-SHA-256", "nobody", 5000),
    ]
    assert len({keys.salt, *(other.salt for other in others)}) == 4
    assert len({keys.stored_key, keys.server_key, keys.salt}) == 3


@pytest.mark.parametrize(
    "mechanism, algorithm",
    [("SCRAM-SHA-1", "sha1"), ("SCRAM-SHA-256", "sha256"), ("SCRAM-SHA-512", "sha512")],
)
def test_the_hash_function_of_a_mechanism(mechanism: str, algorithm: str) -> None:
    assert algorithm_of(mechanism) == algorithm
