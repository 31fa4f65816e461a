"""How a set of extensions works together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from smtpproto import (
    Command,
    Ehlo,
    Helo,
    Lhlo,
    Limits,
    LocalProtocolError,
    Mail,
    Noop,
    Protocol,
    Rejected,
    Reply,
    Rset,
    Session,
    State,
)
from smtpproto.engine.compiled_extensions import Catalogue, catalogue, read_offers
from smtpproto.extensions import (
    Answered,
    Auth,
    BinaryMime,
    Burl,
    Chunking,
    EightBitMime,
    ExpnExtension,
    Extension,
    Flag,
    HelpExtension,
    Mtrk,
    SessionEvent,
    Size,
    SmtpUtf8,
    UnknownExtension,
)
from smtpproto.extensions.known import KNOWN, VERBS, of_keywords, standard
from smtpproto.testing import Pair
from smtpproto.vocabulary.command_parser import parse
from smtpproto.vocabulary.session_facts import Offered
from smtpproto.vocabulary.states import Transition
from tests.commands import CLIENT, mail
from tests.weight import weight


@dataclass(frozen=True, slots=True)
class Loud(Flag):
    keyword = "LOUD"


@dataclass(frozen=True, slots=True)
class OtherLoud(Flag):
    keyword = "LOUD"


@dataclass(frozen=True, slots=True)
class Shout(Command):
    verb = "SHOUT"


@dataclass(frozen=True, slots=True)
class Shouting(Extension):
    """Adds one of everything, and takes a note of what it is told."""

    keyword = "X-SHOUT"
    parameters = {Mail: (Loud,)}
    commands = (Shout,)
    transitions = {State.READY: {"SHOUT": Transition()}}
    extra_length = {Mail: 5}
    watches = (Noop,)
    refuse: bool = False

    @classmethod
    def parse_offer(cls, arguments: str) -> Shouting:
        if arguments:
            raise LocalProtocolError("no arguments")
        return cls()

    def check(self, command: Command, session: Session, transaction: object) -> Reply | None:
        return Reply(450, "4.7.1", f"not {command.verb}") if self.refuse else None

    def demand(self, command: Command | type[Command], session: Session) -> Reply | None:
        return Reply(530, "5.7.0", "whisper first") if isinstance(command, Rset) else None

    @classmethod
    def after(cls, event: SessionEvent, session: Session) -> Session:
        what = type(event).__name__
        if isinstance(event, Answered):
            where = "server" if event.on_server else "client"
            what = f"{event.command.verb} {'succeeded' if event.positive else 'failed'} {where}"
        return session.with_fact(Heard((*heard(session), what)))


@dataclass(frozen=True, slots=True)
class Heard:
    what: tuple[str, ...]


def heard(session: Session) -> tuple[str, ...]:
    fact = session.get(Heard)
    return () if fact is None else fact.what


def compiled(*kinds: type[Extension], protocol: Protocol = Protocol.SMTP) -> Catalogue:
    return Catalogue(kinds, protocol, Limits())


# --- compiling --------------------------------------------------------------------------------


def variant(**changes: Any) -> type[Extension]:
    """Another extension: "X-OTHER", and what is given."""
    return type("Other", (Extension,), {"__slots__": (), "keyword": "X-OTHER", **changes})


@pytest.mark.parametrize(
    "kind, conflict",
    [
        (variant(keyword="X-SHOUT"), "X-SHOUT is defined twice"),
        (Shouting, "X-SHOUT is defined twice"),
        (variant(commands=(Shout,)), "SHOUT is defined twice"),
        (variant(commands=(Noop,)), "NOOP is defined twice"),
        (variant(parameters={Mail: (OtherLoud,)}), "MAIL LOUD is defined twice"),
        (
            variant(transitions={State.READY: {"SHOUT": Transition()}}),
            "SHOUT has a row in READY already",
        ),
        (
            variant(transitions={State.READY: {"NOOP": Transition()}}),
            "NOOP has a row in READY already",
        ),
        (variant(requires=("SIZE",)), "X-OTHER requires SIZE"),
        (variant(keyword="x-other"), "'x-other' is no keyword in upper case"),
        (variant(keyword=""), "'' is no keyword"),
        (variant(commands=(variant(verb="sing"),)), "'sing' is no keyword"),
        (variant(parameters={Mail: (variant(keyword="A=B"),)}), "'A=B' is no keyword"),
    ],
)
def test_conflicts(kind: type[Extension], conflict: str) -> None:
    with pytest.raises(ValueError, match=conflict):
        compiled(Shouting, kind)


def test_two_extensions_may_share_a_parameter_and_require_one_another() -> None:
    shared = compiled(Shouting, variant(parameters={Mail: (Loud,)}, requires=("X-SHOUT",)))
    assert shared.grammar.parameters[Mail] == {"LOUD": Loud}


@pytest.mark.parametrize(
    "kind, needed",
    [(BinaryMime, "CHUNKING"), (SmtpUtf8, "8BITMIME"), (Burl, "8BITMIME"), (Mtrk, "DSN")],
)
def test_what_an_extension_requires(kind: type[Extension], needed: str) -> None:
    """RFC 3030 section 3, RFC 6531 section 3.1 item 8, RFC 4468 section 3, RFC 3885 section 2."""
    with pytest.raises(ValueError, match=f"{kind.keyword} requires {needed}"):
        compiled(kind)


def test_what_a_server_offers_is_loaded_with_what_it_requires() -> None:
    assert of_keywords(["BINARYMIME", "X-NOVELTY"]) == (Chunking, BinaryMime)
    assert all(kind in of_keywords([kind.keyword]) for kind in KNOWN)


def test_all_known_extensions_go_together() -> None:
    whole = compiled(*KNOWN)
    assert set(whole.kinds.values()) == set(KNOWN)


def test_the_same_set_is_compiled_once() -> None:
    first = catalogue([Size, EightBitMime], Protocol.SMTP, Limits())
    assert catalogue(iter([Size, EightBitMime]), Protocol.SMTP, Limits()) is first
    assert catalogue([EightBitMime, Size], Protocol.SMTP, Limits()) is not first


@pytest.mark.parametrize(
    "protocol, verbs, others",
    [(Protocol.SMTP, (Ehlo, Helo), (Lhlo,)), (Protocol.LMTP, (Lhlo,), (Ehlo, Helo))],
)
def test_each_protocol_has_its_hello(
    protocol: Protocol, verbs: tuple[type[Command]], others: tuple[type[Command]]
) -> None:
    grammar = compiled(protocol=protocol).grammar
    for kind in verbs:
        assert grammar.verbs[kind.verb] is kind
    for kind in others:
        with pytest.raises(LocalProtocolError, match="is not a command") as caught:
            parse(f"{kind.verb} client.example".encode(), grammar)
        assert caught.value.code == 500


def test_verbs_of_other_extensions_exist_but_are_not_in_use() -> None:
    with pytest.raises(LocalProtocolError, match="BDAT is not implemented here") as caught:
        parse(b"BDAT 10", compiled().grammar)
    assert caught.value.code == 502


def test_only_the_grammar_of_utf8_takes_utf8() -> None:
    plain = compiled(Shouting)
    assert (plain.grammar.utf8, plain.utf8_grammar.utf8) == (False, True)
    assert plain.utf8_grammar.verbs is plain.grammar.verbs


def test_lines_may_be_longer() -> None:
    both = compiled(Shouting, Size)
    assert both.longest == 512 + 5 + 26
    assert compiled().longest == 512
    assert both.in_force(Offered()).rules[Mail].longest == 512
    assert both.in_force(Offered([Shouting()])).rules[Mail].longest == 517
    assert both.in_force(Offered([Shouting(), Size()])).rules[Mail].longest == 543
    assert both.in_force(Offered([Shouting(), Size()])).rules[Noop].longest == 512


def test_what_is_compiled_for_very_many_servers_is_bounded() -> None:
    whole = compiled(Shouting)
    held = []
    for _ in range(200):
        other = variant()
        assert whole.in_force(Offered([Shouting(), other()])).rules[Mail].longest == 517
        held.append(weight(whole))
    assert held[-1] < 1.1 * held[80]
    assert whole.in_force(Offered()).rules[Mail].longest == 512


def test_sessions_share_what_is_offered_to_them() -> None:
    extensions = standard()
    first, second = (Pair.offering(*extensions).hello().server.offered for _ in range(2))
    assert first is second
    assert list(first) == list(extensions)


def test_sessions_share_what_is_offered_with_auth() -> None:
    extensions = (*standard(), Auth(("PLAIN",), allow_plaintext=("PLAIN",)))
    first, second = (Pair.offering(*extensions).hello().server.offered for _ in range(2))
    assert first is second


def test_sets_that_are_offered_once_only_are_not_kept_for_ever() -> None:
    whole = compiled(Shouting)
    held = []
    for _ in range(200):
        offer = Shouting()
        assert list(whole.offered([offer])) == [offer]
        held.append(weight(whole))
    assert held[-1] < 1.1 * held[80]


def test_what_suits_a_server_that_wants_nothing_special() -> None:
    extensions = standard(size=1000)
    assert Size(1000) in extensions
    assert Pair.offering(*extensions).hello().client.offered.get(Size) == Size(1000)
    assert Size(None) in standard(None)


# --- in force ---------------------------------------------------------------------------------


def pair_of(*extensions: Extension) -> Pair:
    return Pair.offering(*extensions, known=(*KNOWN, Shouting)).hello()


def test_what_an_extension_is_told() -> None:
    pair = pair_of(Shouting())
    assert pair.say(Shout()).code == 250
    assert pair.say(Noop(), answers=[Reply(450)]).code == 450
    for side, session in (("server", pair.server.session), ("client", pair.client.session)):
        assert heard(session) == (
            "TransactionOver",
            f"SHOUT succeeded {side}",
            f"NOOP failed {side}",
        )


def test_what_an_extension_is_told_at_the_end_of_a_transaction() -> None:
    pair = pair_of(Shouting())
    pair.talk(mail())
    assert heard(pair.server.session) == heard(pair.client.session) == ("TransactionOver",)
    pair.hello()
    assert (
        heard(pair.server.session)
        == heard(pair.client.session)
        == (
            "TransactionOver",
            "TransactionOver",
        )
    )


def test_without_an_offer_nothing_of_it_is_there() -> None:
    pair = pair_of()
    for command, reason in ((Shout(), "SHOUT is not offered"), (mail(Loud()), "LOUD is not off")):
        with pytest.raises(LocalProtocolError, match=reason):
            pair.client.send(command)
    assert pair.raw("SHOUT").startswith("500 ")
    assert pair.raw("MAIL FROM:<a@client.example> LOUD").startswith("555 MAIL: LOUD is not off")
    pair.raw("NOOP")
    assert heard(pair.server.session) == ()


def test_after_helo_nothing_is_in_force() -> None:
    pair = Pair.offering(Shouting(), HelpExtension(), ExpnExtension()).hello(helo=True)
    assert pair.raw("SHOUT").startswith("502 SHOUT is not offered in this session")
    # But what is older than EHLO.
    assert pair.raw("HELP").startswith("214 ")
    assert pair.raw("EXPN list").startswith("252 ")


def test_the_reply_to_a_command_that_is_not_offered() -> None:
    kind = variant(
        commands=(Shout,),
        transitions={State.READY: {"SHOUT": Transition()}},
        offer=lambda self, session: None,
        not_offered=Reply(454, "4.7.0", "ask again later"),
    )
    assert Pair.offering(kind()).hello().raw("SHOUT") == "454 ask again later\r\n"


@pytest.mark.parametrize("line", ["SHOUT", "NOOP", "MAIL FROM:<a@client.example>"])
def test_what_an_extension_refuses(line: str) -> None:
    """A command that it adds, one that it watches, and one that it adds a parameter to."""
    pair = pair_of(Shouting(refuse=True))
    verb = line.partition(" ")[0]
    assert pair.raw(line) == f"450 not {verb}\r\n"
    assert isinstance(pair.events[-1], Rejected)
    # The client has it from the EHLO line alone, which does not tell.
    assert pair.client.offered.get(Shouting) == Shouting()


def test_what_an_extension_demands_is_asked_of_every_client() -> None:
    assert pair_of(Shouting()).raw("RSET") == "530 whisper first\r\n"
    assert Pair.offering(Shouting()).raw("RSET") == "530 whisper first\r\n"
    assert Pair.offering(Shouting()).hello(helo=True).raw("RSET") == "530 whisper first\r\n"


def test_a_value_that_only_another_extension_would_allow() -> None:
    pair = Pair.offering(EightBitMime()).hello()
    reply = pair.raw("MAIL FROM:<a@client.example> BODY=BINARYMIME")
    assert reply.startswith("555 MAIL: BODY=BINARYMIME is not offered here")
    assert BinaryMime not in pair.server.offered


# --- offers -----------------------------------------------------------------------------------

WHOLE = compiled(*KNOWN, Shouting)


def test_unknown_offers_are_kept() -> None:
    offered = read_offers(["x-Novelty a b", "SIZE 1000"], WHOLE)
    assert list(offered) == [UnknownExtension("x-Novelty", "a b"), Size(1000)]
    assert offered.get(UnknownExtension) == UnknownExtension("x-Novelty", "a b")


def test_offers_in_any_letter_case() -> None:
    assert list(read_offers(["Size 1000", "x-shout"], WHOLE)) == [Size(1000), Shouting()]


@pytest.mark.parametrize("line", ["", "-", "=X", "8BIT_MIME", "\x00", "ÄUTH", "SIZE=1000"])
def test_lines_that_are_no_offer(line: str) -> None:
    assert list(read_offers([line, "SIZE 1000"], WHOLE)) == [Size(1000)]


@pytest.mark.parametrize("line", ["SIZE lots", "X-SHOUT loudly", "DELIVERBY soon"])
def test_offers_that_cannot_be_understood_are_not_in_force(line: str) -> None:
    (found,) = read_offers([line], WHOLE)
    assert found == UnknownExtension(*line.split(" "))


def test_the_first_of_two_offers_counts() -> None:
    assert list(read_offers(["SIZE 1000", "SIZE 2000"], WHOLE)) == [Size(1000)]


@pytest.mark.parametrize(
    "lines, found",
    [
        (["X-OLD=a b"], "a b"),
        (["x-old=a"], "a"),
        (["X-OLD=a", "X-OLD b"], "b"),
        (["X-OLD b", "X-OLD=a"], "b"),
        (["X-OLD=!"], None),
        (["X-NEW=a"], None),
    ],
)
def test_the_form_that_offers_had_once(lines: list[str], found: str | None) -> None:
    offered = read_offers(lines, compiled(Old))
    old = offered.get(Old)
    assert (None if old is None else old.text) == found


@dataclass(frozen=True, slots=True)
class Old(Extension):
    keyword = "X-OLD"
    old_form = True
    text: str = ""

    @classmethod
    def parse_offer(cls, arguments: str) -> Old:
        if arguments == "!":
            raise LocalProtocolError("no")
        return cls(arguments)


def test_what_a_server_writes_is_what_a_client_reads() -> None:
    pair = Pair.offering(*standard(), Shouting(), known=(*KNOWN, Shouting)).hello()
    assert list(pair.client.offered) == list(pair.server.offered) == [*standard(), Shouting()]


def test_a_line_that_would_be_two_is_never_sent() -> None:
    smuggling = variant(arguments=lambda self: "a\r\n250 b")
    pair = Pair.offering(smuggling())
    pair.client.send(Ehlo(CLIENT))
    pair.server.receive_data(pair.client.data_to_send())
    assert pair.server.next_event() == Ehlo(CLIENT)
    with pytest.raises(LocalProtocolError):
        pair.server.accept()
    assert pair.server.data_to_send() == b""


def test_the_verbs_that_are_written_down_are_those_of_all_extensions() -> None:
    assert {command.verb for kind in KNOWN for command in kind.commands} == VERBS


def test_the_size_is_a_number() -> None:
    with pytest.raises(TypeError, match="size: expected int or None, found str"):
        standard("1000")  # type: ignore[arg-type]
