"""The page on moving has each name of the other libraries, and what it says to type is there."""

from __future__ import annotations

import contextlib
import inspect
import re
import secrets
import shlex
import smtplib
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from types import ModuleType
from typing import Any

import aiosmtplib
import pytest
from aiosmtpd import controller, handlers, main, smtp

import smtpproto.sync
from smtpproto import Noop, Reply, Session, extensions, sync
from smtpproto.cli import make_parser
from smtpproto.sync import (
    ConnectionSettings,
    Envelope,
    Handler,
    ListeningSettings,
    PermanentError,
    ServerTLS,
    TLSMode,
    Users,
)
from tests.cli.certificates import throw_away

PAGE = (Path(__file__).parents[2] / "docs/howto/moving.md").read_text(encoding="utf-8")
# Without the heads of the tables.
ROWS = re.findall(r"^\| (.*?) \| (.*) \|$(?!\n\|---)", PAGE, re.MULTILINE)


def parameters(*calls: Any) -> Iterator[str]:
    for call in calls:
        yield from inspect.signature(call).parameters


def public(*kinds: type) -> Iterator[str]:
    for kind in kinds:
        yield from (name for name in vars(kind) if not name.startswith("_"))


def classes(module: ModuleType, *bases: type) -> Iterator[str]:
    for name, value in vars(module).items():
        ours = inspect.isclass(value) and value.__module__.startswith(module.__name__)
        if ours and issubclass(value, bases or (object,)):
            yield name


# Arguments that stay what they are, and what is not for the users of a library.
INSIDE = {
    *("self", "handler", "message", "host", "port", "hostname", "kwargs", "SMTP_parameters"),
    *("command_encoding", "send", "putcmd", "getreply", "file", "default_port", "debuglevel"),
    *("ehlo_or_helo_if_needed", "is_ehlo_or_helo_needed", "helo_resp", "ehlo_resp", "ehlo_msg"),
    *("does_esmtp", "last_ehlo_response", "supported_auth_methods", "AUTH_METHODS", "auth_login"),
    *("auth_crammd5", "auth_cram_md5", "auth_xoauth2", "get_transport_info"),
    *("BaseController", "BaseThreadedController", "BaseUnthreadedController", "MessageBase"),
    *("InetMixin", "UnixSocketMixin"),
}
NAMES = {
    *parameters(smtplib.SMTP, smtplib.SMTP_SSL, aiosmtplib.send),
    *public(smtplib.SMTP, aiosmtplib.SMTP),
    *classes(smtplib, smtplib.SMTPException),
    *classes(aiosmtplib, aiosmtplib.SMTPException),
    *parameters(smtp.SMTP, controller.BaseThreadedController),
    *classes(controller, controller.BaseController),
    *classes(handlers),
    *vars(smtp.Envelope()),
    *("peer", "ssl", "host_name", "extended_smtp", "proxy_data", "auth_data", "authenticated"),
    *("handle_HELO", "handle_EHLO", "handle_MAIL", "handle_RCPT", "handle_DATA", "handle_RSET"),
    *("handle_NOOP", "handle_QUIT", "handle_VRFY", "handle_AUTH"),
    *("handle_STARTTLS", "handle_PROXY", "handle_exception"),
}


def test_each_name_has_a_row() -> None:
    found = set(re.findall(r"\w+", " ".join(old for old, _ in ROWS)))
    assert sorted(NAMES - INSIDE - found) == []


OLD_OPTIONS = {option for action in main._parser()._actions for option in action.option_strings}


def test_each_option_of_aiosmtpd_has_a_row() -> None:
    short = {option for option in OLD_OPTIONS if not option.startswith("--") or "-cert" in option}
    found = re.findall(r"(?<!\S)`?(-{1,2}\w[\w-]*)", " ".join(old for old, _ in ROWS))
    assert sorted(short - {"-h", "-v"} - set(found)) == []
    assert set(found) <= OLD_OPTIONS


WORDS = [words for _, new in ROWS for words in re.findall(r"`([^`]+)`", new)]
COMMANDS = [words for words in WORDS if words.startswith(("--", "smtpproto serve --"))]


@pytest.mark.parametrize("words", COMMANDS)
def test_each_option_is_one(words: str) -> None:
    options = make_parser("smtpproto").parse_args(
        ["serve", *shlex.split(words.removeprefix("smtpproto serve "))]
    )
    assert options.verb == "serve"


HOOKS = {name for name in vars(Handler) if not name.startswith("_")}
SIGNATURES = [words for words in WORDS if re.match(r"(async def )?\w+\(session, ", words)]


@pytest.mark.parametrize("words", SIGNATURES)
def test_each_hook_is_one(words: str) -> None:
    name, arguments = re.findall(r"(\w+)\((.*)\)", words)[0]
    assert ["self", *arguments.split(", ")] == list(parameters(getattr(Handler, name)))


OPTIONS = [words for words in WORDS if re.match(r"\w+=", words)]
OTHERS = set(WORDS) - set(COMMANDS) - set(SIGNATURES) - set(OPTIONS) - HOOKS
# What needs a function around it; the code on the page has each.
STATEMENTS = {words for words in OTHERS if words.startswith(("return ", "async ", "await "))}


class Inbox:
    def message(self, session: Session, envelope: Envelope, content: bytes) -> None:
        self.seen = {"session": session, "envelope": envelope, "rcpt": envelope.recipients[0]}


@pytest.fixture
def scope() -> Iterator[dict[str, Any]]:
    """What the words of the page are names of."""
    inbox = Inbox()
    sender, recipients = "eve@client.example", ["alice@mx.example"]
    message = EmailMessage()
    message["From"], message["To"] = sender, recipients
    with contextlib.ExitStack() as stack:
        files = stack.enter_context(throw_away("mx.example"))
        server = stack.enter_context(sync.serve(inbox))
        client = stack.enter_context(sync.connect("127.0.0.1", server.port))
        delivery = client.send(Envelope.of(sender, recipients), b"hello\r\n")
        yield {
            **{name: getattr(ssl.SSLContext, name) for name in dir(ssl.SSLContext)},
            **{name: getattr(sync, name) for name in sync.__all__},
            **{name: getattr(extensions, name) for name in extensions.__all__},
            **{name: getattr(smtpproto, name) for name in smtpproto.__all__},
            "smtpproto": smtpproto,
            "secrets": secrets,
            "check_password": Users({}, secret=bytes(16)).check_password,
            "connect": ConnectionSettings,
            "serve": listening,
            "handler": inbox,
            "client": client,
            "server": server,
            "delivery": delivery,
            **inbox.seen,
            "error": PermanentError("no", reply=Reply(550, "5.7.1", "no")),
            "host": "127.0.0.1",
            "hostname": "127.0.0.1",
            "port": 25,
            "path": "socket",
            "sender": sender,
            "recipients": recipients,
            "message": message,
            "content": b"hello\r\n",
            "chunks": [b"hello\r\n"],
            "text": "hello\r\n",
            "certfile": files.certificate,
            "keyfile": files.key,
            "limit": 10**6,
            "user": "ann",
            "username": "ann",
            "password": "secret",
            "token": "secret",
            "s": "ann",
            "command": Noop(),
        }


def listening(handler: object, **options: Any) -> ListeningSettings:
    return ListeningSettings(**options)


@pytest.mark.parametrize("words", OPTIONS)
def test_each_argument_is_one(words: str, scope: dict[str, Any]) -> None:
    name, _, value = words.partition("=")
    given = eval(value, scope) if value else None  # noqa: S307  # what the page shows
    known: tuple[Any, ...] = (ConnectionSettings, ListeningSettings)
    kinds = [kind for kind in known if name in parameters(kind)]
    if isinstance(given, (TLSMode, ServerTLS)):
        kinds = kinds[:1] if isinstance(given, TLSMode) else kinds[1:]
    if name == "extensions":
        # A client takes classes; those of the page are for a server.
        kinds = kinds[1:]
    assert kinds
    for kind in kinds if value else ():
        assert kind(**{name: given})


@pytest.mark.parametrize("words", sorted(OTHERS - STATEMENTS))
def test_what_the_page_says_to_type_works(words: str, scope: dict[str, Any]) -> None:
    eval(words, scope)  # noqa: S307
