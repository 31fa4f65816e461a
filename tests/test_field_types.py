"""Settings and other values refuse what has another type than their annotation says."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest

from smtpproto import Limits, Reply
from smtpproto.conversations import Admission, ClientSettings, TLSMode, TLSPolicy
from smtpproto.conversations.client.pool import PoolLimits
from smtpproto.field_types import check_fields
from smtpproto.mailboxes import MboxStore
from smtpproto.sync import ConnectionSettings, ListeningSettings, ServerTLS
from smtpproto.sync.server import ThreadedSettings
from smtpproto.testing import MemorySink, SocketClient
from smtpproto.testing.inbox import Inbox
from smtpproto.testing.mail_sink import SinkSettings

if TYPE_CHECKING:
    import fractions
    from collections import deque
    from decimal import Decimal

Alias = int | Callable[[], int]


class Named(Protocol):
    name: str


@dataclass(kw_only=True)
class Base:
    number: float = 0
    own: str = ""


class Mixin:
    note: str


@dataclass(kw_only=True)
class Settings(Mixin, Base):
    own: int = 0  # type: ignore[assignment]  # a subclass may narrow or change a type
    alias: Alias | None = None
    mapping: Mapping[str, int] = field(default_factory=dict)
    choice: Literal["a", "b"] = "a"
    protocol: Named | None = None
    unknown: Decimal | None = None
    part_of_unknown: fractions.Fraction | None = None
    of_unknown: deque[int] | None = None
    set_later: list[int] = field(init=False)

    def __post_init__(self) -> None:
        check_fields(self)


@pytest.mark.parametrize(
    "values",
    [
        {"number": 1, "own": 1},
        {"number": math.inf},
        {"alias": 7},
        {"alias": lambda: 7},
        {"mapping": {"a": 1}},
        # What no class decides is left to the code that uses it.
        {"choice": 7, "protocol": 7, "unknown": 7, "part_of_unknown": 7, "of_unknown": 7},
    ],
)
def test_what_fits(values: dict[str, Any]) -> None:
    Settings(**values)


@pytest.mark.parametrize(
    "values, problem",
    [
        ({"number": "1"}, "number: expected float, found str"),
        ({"number": None}, "number: expected float, found NoneType"),
        ({"own": 1.0}, "own: expected int, found float"),
        ({"alias": "7"}, "alias: expected int or Callable or None, found str"),
        ({"mapping": ["a"]}, "mapping: expected Mapping, found list"),
    ],
)
def test_what_does_not_fit(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(TypeError, match=f"^{problem}$"):
        Settings(**values)


@pytest.mark.parametrize(
    "make, wrong",
    [
        (Limits, {"recipients": "5", "transaction_time": 1.5}),
        (PoolLimits, {"connections": "5", "messages": 5.0, "idle": "5", "trusted": None}),
        (Admission, {"most": "5", "each": "5"}),
        (TLSPolicy, {"required": "no", "hosts": "mx.example", "check": True}),
        (
            ClientSettings,
            {"name": b"c.example", "tls": ServerTLS.NONE, "policy": True, "protocol": "lmtp"}
            | {"limits": Limits, "chunking": "no", "to_ascii": True, "observer": 5},
        ),
        (
            ConnectionSettings,
            {"host": ("mx.example", 25), "port": "25", "path": 5, "timeout": "3"}
            | {"connect_timeout": None, "tls_context": True, "server_hostname": b"mx.example"},
        ),
        (
            ListeningSettings,
            {"host": 5, "port": "25", "tls": TLSMode.NONE, "tls_context": True, "timeout": "3"}
            | {"grace": "3", "hostname": b"mx.example", "limits": 5, "admission": 5, "syntax": True}
            | {"observer": 5, "clock": 0, "external": "email", "line_endings": "keep"},
        ),
        (ThreadedSettings, {"threads": "4", "content_threads": 4.0}),
        (SinkSettings, {"size": "10M", "lmtp": "no", "users": ["alice"], "port": "25"}),
        (partial(Reply, code=250), {"code": "550", "enhanced": 511}),
    ],
)
def test_each_value_has_its_type(make: Callable[..., object], wrong: dict[str, Any]) -> None:
    for name, value in wrong.items():
        with pytest.raises(TypeError, match=f"^{name}: expected .*, found {type(value).__name__}$"):
            make(**{name: value})


@pytest.mark.parametrize(
    "rule, name",
    [
        (lambda sink: sink.delay("content", "3"), "seconds"),
        (lambda sink: sink.reject("rcpt", 550), "pattern"),
        (lambda sink: sink.reject("rcpt", code="550"), "code"),
        (lambda sink: sink.drop("rcpt", times="2"), "times"),
        (lambda sink: sink.reply("ehlo", "what?\r\n"), "octets"),
    ],
)
def test_rules_for_faults(rule: Callable[[MemorySink], object], name: str) -> None:
    with pytest.raises(TypeError, match=f"^{name}: expected"):
        rule(MemorySink())


@pytest.mark.parametrize(
    "make, name, zero",
    [
        (ConnectionSettings, "timeout", False),
        (ConnectionSettings, "connect_timeout", False),
        (PoolLimits, "idle", True),
        (PoolLimits, "trusted", True),
        (ListeningSettings, "timeout", False),
        (ListeningSettings, "grace", True),
        (partial(MboxStore, "mbox"), "lock_timeout", True),
        (partial(Inbox().wait_for, 0), "timeout", True),
        (partial(SocketClient, "127.0.0.1", 1), "patience", False),
        (partial(SocketClient, "127.0.0.1", 1), "pause", True),
    ],
)
def test_each_time_is_one_that_passes(make: Callable[..., object], name: str, zero: bool) -> None:
    for value in (math.nan, math.inf, -math.inf, -1, -0.001, 1e300, *([] if zero else [0])):
        found = re.escape(f"found {value:g}")
        with pytest.raises(ValueError, match=f"^{name}: expected seconds .*, {found}$"):
            make(**{name: value})


def test_waiting_for_messages() -> None:
    inbox: Any = Inbox()
    for arguments, name in ((("1", 5.0), "count"), ((1, "5"), "timeout")):
        with pytest.raises(TypeError, match=f"^{name}: expected"):
            inbox.wait_for(*arguments)
