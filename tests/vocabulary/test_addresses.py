"""Domains, address literals, mailboxes and paths as values."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
import time
from collections.abc import Callable
from functools import partial
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.errors import LocalProtocolError
from smtpproto.limits import Limits
from smtpproto.vocabulary import paths
from smtpproto.vocabulary.addresses import AddressLiteral, Domain, Mailbox
from smtpproto.vocabulary.paths import ForwardPath, Path, ReversePath

ORG = Domain("example.org")
USER = Mailbox("user", ORG)

# --- Strategies ---------------------------------------------------------------------------------

letters = st.sampled_from("aZ09üß例")
labels = st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?", fullmatch=True)
ascii_domains = st.lists(labels, min_size=1, max_size=4).map(".".join).map(Domain)
domains = ascii_domains | st.lists(
    labels | st.text(letters, min_size=1, max_size=8), min_size=1, max_size=4
).map(".".join).map(Domain)
literals = (
    st.ip_addresses(v=4).map(str)
    | st.ip_addresses(v=6).map(lambda address: f"IPv6:{address}")
    | st.from_regex(r"x-[a-z0-9]{1,5}:[!-Z^-~]{1,10}", fullmatch=True)
).map(AddressLiteral)
ascii_local_parts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
local_parts = ascii_local_parts | st.text(
    st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=15
)
mailboxes = st.builds(Mailbox, local_parts, domains | literals)
reverse_paths = st.builds(ReversePath, st.none() | mailboxes)
forward_paths = st.builds(ForwardPath, st.none() | mailboxes)
# Text that looks like a path, and not quite.
near_paths = st.lists(
    st.sampled_from(
        [
            "<",
            ">",
            "@",
            ".",
            "-",
            ",",
            ":",
            '"',
            "\\",
            " ",
            "[",
            "]",
            "a",
            "b.c",
            "ü",
            "\r\n",
            "\0",
            "<user@example.org>",
            "postmaster",
            "192.0.2.1",
            "IPv6:",
            "::1",
            "@a:",
            "a" * 60,
        ]
    ),
    max_size=12,
).map("".join)

# --- Domain -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["example.org", "localhost", "1.2.3.4", "a-b.c--d", "bücher.example"]
)
def test_domains(name: str) -> None:
    domain = Domain(name)
    assert str(domain) == domain.name == name
    assert Domain.parse(name, utf8=True) == domain


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a",
        "a-",
        "a_b",
        "a b",
        "a\r\nRSET",
        "a\n",
        "a\0",
        "[1.2.3.4]",
        "ü。org",
        "a\udc80",
        "a\x85",
        "a>",
        "a" * 64,
        "b." + "a" * 64 + ".org",
        "ü" * 58,
    ],
)
def test_what_is_no_domain(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="expected") as refusal:
        Domain(name)
    assert (refusal.value.code, refusal.value.enhanced) == (501, "5.5.4")
    with pytest.raises(LocalProtocolError):
        Domain.parse(name, utf8=True)


def test_a_domain_that_is_not_ascii_needs_smtputf8() -> None:
    assert Domain("example.org").ascii
    assert not Domain("bücher.example").ascii
    with pytest.raises(LocalProtocolError, match="need SMTPUTF8") as refusal:
        Domain.parse("bücher.example")
    assert (refusal.value.code, refusal.value.enhanced) == (553, "5.6.7")


def test_letter_case_makes_no_difference_to_domains() -> None:
    assert Domain("Example.ORG") == ORG
    assert hash(Domain("Example.ORG")) == hash(ORG)
    assert str(Domain("Example.ORG")) == "Example.ORG"
    assert Domain("BÜCHER.example") == Domain("bücher.example")
    assert Domain("example.com") != ORG
    # Two names in IDNA, though `casefold` makes them one.
    assert Domain("straße.example") != Domain("strasse.example")


def test_a_domain_is_not_its_text() -> None:
    assert Domain("a").__eq__("a") is NotImplemented
    assert AddressLiteral("x:a").__eq__("x:a") is NotImplemented
    assert Mailbox("a", Domain("x")) != Mailbox("a", AddressLiteral("x:a"))


# --- AddressLiteral -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text,address",
    [
        ("[192.0.2.1]", IPv4Address("192.0.2.1")),
        ("[IPv6:2001:db8::1]", IPv6Address("2001:db8::1")),
        ("[ipv6:::ffff:192.0.2.1]", IPv6Address("::ffff:192.0.2.1")),
        ("[192.0.02.001]", IPv4Address("192.0.2.1")),
        ("[IPv6:::ffff:192.0.02.1]", IPv6Address("::ffff:192.0.2.1")),
        ("[x400:c=us]", None),
    ],
)
def test_address_literals(text: str, address: IPv4Address | IPv6Address | None) -> None:
    literal = AddressLiteral.parse(text)
    assert literal == AddressLiteral(text[1:-1])
    assert str(literal) == text
    assert literal.address == address
    assert literal.ascii


@pytest.mark.parametrize(
    "content",
    [
        "",
        "localhost",
        "1.2.3",
        "1.2.3.4.5",
        "0001.2.3.4",
        "256.1.1.1",
        "IPv6:1:2:3:4:5:6:7::",
        "IPv6:::2:3:4:5:6:7:8",
        "::1",
        "IPv6:",
        "IPv6:1.2.3.4",
        "IPv6:fe80::1%eth0",
        "IPv6:::١",
        "1.2.3.٤",
        "x:",
        "x:a b",
        "x:a]",
        "1.2.3.4]\r\n[x:a",
        "x:ü",
        "x:\0",
    ],
)
def test_what_is_no_address_literal(content: str) -> None:
    with pytest.raises(LocalProtocolError, match="expected"):
        AddressLiteral(content)
    with pytest.raises(LocalProtocolError, match="expected"):
        AddressLiteral.parse(f"[{content}]", utf8=True)


@pytest.mark.parametrize(
    "address, text",
    [
        ("192.0.2.1", "[192.0.2.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        ("fe80::1%eth0", "[IPv6:fe80::1]"),
        # A socket for IPv4 and IPv6 says so of IPv4.
        ("::ffff:192.0.2.1", "[192.0.2.1]"),
        ("1:2:3:4:5:6:7:0", "[IPv6:1:2:3:4:5:6:7:0]"),
        ("0:2:3:4:5:6:7:8", "[IPv6:0:2:3:4:5:6:7:8]"),
    ],
)
def test_the_address_literal_of_an_ip_address(address: str, text: str) -> None:
    assert str(AddressLiteral.of(address)) == text
    assert AddressLiteral.parse(text) == AddressLiteral.of(address)


@pytest.mark.parametrize("address", ["", "host", "/run/socket", "x:y"])
def test_what_is_no_ip_address(address: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        AddressLiteral.of(address)


def test_letter_case_makes_no_difference_to_address_literals() -> None:
    assert AddressLiteral("IPv6:2001:DB8::1") == AddressLiteral("ipv6:2001:db8::1")
    assert hash(AddressLiteral("IPv6:2001:DB8::1")) == hash(AddressLiteral("ipv6:2001:db8::1"))
    assert AddressLiteral("192.0.2.1") != AddressLiteral("192.0.2.2")


# --- Mailbox ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text,local_part,canonical",
    [
        ("user@example.org", "user", "user@example.org"),
        ("First.Last+tag@example.org", "First.Last+tag", "First.Last+tag@example.org"),
        ('"user"@example.org', "user", "user@example.org"),
        (r'"u\ser"@example.org', "user", "user@example.org"),
        ('""@example.org', "", '""@example.org'),
        ('"a b"@example.org', "a b", '"a b"@example.org'),
        ('"a@b"@example.org', "a@b", '"a@b"@example.org'),
        ('".a"@example.org', ".a", '".a"@example.org'),
        (r'"\"\\"@example.org', '"\\', r'"\"\\"@example.org'),
        (r'"\<\>"@example.org', "<>", '"<>"@example.org'),
        ("jürgen@example.org", "jürgen", "jürgen@example.org"),
        ('"ü ü"@example.org', "ü ü", '"ü ü"@example.org'),
    ],
)
def test_a_local_part_is_kept_as_what_it_means(text: str, local_part: str, canonical: str) -> None:
    mailbox = Mailbox.parse(text, utf8=True)
    assert mailbox == Mailbox(local_part, ORG)
    assert str(mailbox) == canonical
    assert Mailbox.parse(canonical, utf8=True) == mailbox


@pytest.mark.parametrize(
    "text,message",
    [
        ("", "mailbox: expected a local-part at octet 0, found the end"),
        ("user", "mailbox: expected '@' at octet 4, found the end"),
        ("user@", "mailbox: expected a letter or digit at octet 5, found the end"),
        ("a b@example.org", "mailbox: expected '@' at octet 1, found ' '"),
        ("a..b@example.org", "mailbox: expected '@' at octet 1, found '.'"),
        ("user@example.org ", "mailbox: expected the end at octet 16, found ' '"),
        ("user@[1.2.3]", "mailbox: expected an IPv4 address"),
        ("user@example.org\r\nRSET", r"mailbox: expected the end at octet 16, found '\r'"),
        ('"a\nb"@example.org', r"expected a printable character or '\"' at octet 2, found '\n'"),
    ],
)
def test_what_is_no_mailbox(text: str, message: str) -> None:
    with pytest.raises(LocalProtocolError) as refusal:
        Mailbox.parse(text)
    assert message in str(refusal.value).replace("'\"'", "'\\\"'")
    assert (refusal.value.code, refusal.value.enhanced) == (501, "5.5.4")


@pytest.mark.parametrize("local_part", ["a\r\nb", "\n", "\0", "\x7f", "a\x85", "\u2028", "\udc80"])
def test_a_local_part_without_a_form_cannot_exist(local_part: str) -> None:
    with pytest.raises(LocalProtocolError, match="expected a printable character"):
        Mailbox(local_part, ORG)


def test_local_parts_differ_in_letter_case_and_domains_do_not() -> None:
    assert Mailbox("user", Domain("EXAMPLE.org")) == USER
    assert hash(Mailbox("user", Domain("EXAMPLE.org"))) == hash(USER)
    assert Mailbox("User", ORG) != USER


@pytest.mark.parametrize(
    "text,is_ascii",
    [
        ("user@example.org", True),
        ("user@[192.0.2.1]", True),
        ("jürgen@example.org", False),
        ("user@bücher.example", False),
    ],
)
def test_whether_a_mailbox_needs_smtputf8(text: str, is_ascii: bool) -> None:
    assert Mailbox.parse(text, utf8=True).ascii is is_ascii
    assert ReversePath.of(text).ascii is is_ascii
    if not is_ascii:
        with pytest.raises(LocalProtocolError, match="need SMTPUTF8") as refusal:
            ForwardPath.parse(f"<{text}>")
        assert (refusal.value.code, refusal.value.enhanced) == (553, "5.6.7")


def test_parts_of_the_wrong_type() -> None:
    with pytest.raises(TypeError, match="expected a Domain or an AddressLiteral, found 'a'"):
        Mailbox("user", "a")  # type: ignore[arg-type]  # is what is tested
    with pytest.raises(TypeError, match="`of` takes text"):
        ReversePath("user@example.org")  # type: ignore[arg-type]  # is what is tested


# --- Paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text,mailbox",
    [
        ("<user@example.org>", USER),
        ("<user@EXAMPLE.org>", USER),
        ('<"user"@example.org>', USER),
        ("<user@[192.0.2.1]>", Mailbox("user", AddressLiteral("192.0.2.1"))),
        ('<"a>b"@example.org>', Mailbox("a>b", ORG)),
        ("<@a.example:user@example.org>", USER),
        ("<@a.example,@b.example:user@example.org>", USER),
        ("<postmaster@example.org>", Mailbox("postmaster", ORG)),
        (f"<{'a' * 64}@example.org>", Mailbox("a" * 64, ORG)),
    ],
)
@pytest.mark.parametrize("kind", [ReversePath, ForwardPath])
def test_paths(kind: type[Path], text: str, mailbox: Mailbox) -> None:
    assert kind.parse(text) == kind(mailbox)
    assert kind.parse_prefix(f"TO:{text} SIZE=1", 3) == (kind(mailbox), 3 + len(text))
    assert str(kind.parse(text)).lower() == f"<{mailbox}>"
    assert kind.of(str(mailbox)) == kind(mailbox)


def test_a_path_keeps_the_letter_case_that_was_written() -> None:
    assert str(ForwardPath.parse("<User@EXAMPLE.org>")) == "<User@EXAMPLE.org>"
    assert str(ForwardPath.of("User@EXAMPLE.org")) == "<User@EXAMPLE.org>"


def test_the_null_reverse_path() -> None:
    null = ReversePath.parse("<>")
    assert null == ReversePath.of("") == ReversePath(None)
    assert null.mailbox is None
    assert null.ascii
    assert (str(null), null.address) == ("<>", "")
    with pytest.raises(LocalProtocolError, match="forward-path: expected a local-part at octet 1"):
        ForwardPath.parse("<>")
    with pytest.raises(LocalProtocolError, match="forward-path: expected a local-part at octet 0"):
        ForwardPath.of("")


@pytest.mark.parametrize("word", ["postmaster", "Postmaster", "POSTMASTER"])
def test_the_postmaster_of_the_server(word: str) -> None:
    postmaster = ForwardPath.parse(f"<{word}>")
    assert postmaster == ForwardPath.of(word) == ForwardPath(None)
    assert (str(postmaster), postmaster.address) == ("<postmaster>", "postmaster")
    assert ForwardPath.parse_prefix(f"TO:<{word}> A=1", 3) == (postmaster, 15)
    with pytest.raises(LocalProtocolError, match="reverse-path: expected '@' at octet 11"):
        ReversePath.parse(f"<{word}>")


@pytest.mark.parametrize(
    "text,message",
    [
        ("", "expected '<' at octet 0, found the end (RFC 5321 section 4.1.2)"),
        ("user@example.org", "expected '<' at octet 0, found 'u'"),
        (" <user@example.org>", "expected '<' at octet 0, found ' '"),
        ("<user@example.org", "expected '>' at octet 17, found the end"),
        ("<user@example.org.>", "expected a letter or digit at octet 18, found '>'"),
        ("<user@example.org>>", "expected the end at octet 18, found '>'"),
        ("<user>", "expected '@' at octet 5, found '>'"),
        ("<poſtmaster>", r"expected ASCII, found '\u017f' at octet 3"),
        ("<user@exa_mple.org>", "expected '>' at octet 9, found '_'"),
        ("<user@example.org\r\n>", r"expected '>' at octet 17, found '\r'"),
        ("<user@example.org\0>", r"expected '>' at octet 17, found '\x00'"),
        ("<us er@example.org>", "expected '@' at octet 3, found ' '"),
        ("<@a.example user@example.org>", "expected ':' at octet 11, found ' '"),
        ("<@a.example,b:user@example.org>", "expected '@' at octet 12, found 'b'"),
        ("<@a.example:>", "expected a local-part at octet 12, found '>'"),
        ("<@a.example:postmaster>", "expected '@' at octet 22, found '>'"),
    ],
)
@pytest.mark.parametrize("kind", [ReversePath, ForwardPath])
def test_what_is_no_path(kind: type[Path], text: str, message: str) -> None:
    with pytest.raises(LocalProtocolError) as refusal:
        kind.parse(text)
    assert str(refusal.value).startswith(f"{kind.what}: {message}")
    if refusal.value.code == 501:
        assert refusal.value.enhanced == ("5.1.7" if kind is ReversePath else "5.1.3")


@pytest.mark.parametrize(
    "address",
    ["@a:user@example.org", "<user@example.org>", "user@example.org> A=1", " ", "user@a\r\n"],
)
@pytest.mark.parametrize("kind", [ReversePath, ForwardPath])
def test_of_takes_an_address_and_nothing_else(kind: type[Path], address: str) -> None:
    with pytest.raises(LocalProtocolError, match=f"{kind.what}: expected"):
        kind.of(address)


def test_a_reverse_path_is_no_forward_path() -> None:
    paths: list[Path] = [ReversePath(USER), ForwardPath(USER), ReversePath(None), ForwardPath(None)]
    assert len(set(paths)) == 4
    assert paths[0] != paths[1]


def test_a_path_that_was_read_is_the_same_value_as_one_that_was_made() -> None:
    def read() -> ForwardPath:
        return ForwardPath.parse("<user@example.org>")

    made = ForwardPath(USER)
    assert repr(read()) == repr(made)
    assert dataclasses.asdict(read()) == dataclasses.asdict(made)
    assert dataclasses.asdict(read())["mailbox"] == dataclasses.asdict(USER)
    assert dataclasses.replace(read()) == made
    assert dataclasses.replace(read(), mailbox=None) == ForwardPath(None)
    match read():
        case ForwardPath(mailbox):
            assert mailbox == USER
    with pytest.raises(dataclasses.FrozenInstanceError):
        read().mailbox = None  # type: ignore[misc]  # is what is tested
    with pytest.raises(AttributeError, match="ForwardPath has no attribute 'domain'"):
        read().domain  # type: ignore[attr-defined]  # noqa: B018


# --- Bounds -------------------------------------------------------------------------------------

LONG = ".".join(["a" * 49] * 4)  # 199 octets


@pytest.mark.parametrize(
    "text,message",
    [
        (f"<{'a' * 65}@example.org>", "at most 64 octets of local-part, found 65"),
        (f"<a@{'a.' * 127}aa>", "at most 255 octets of domain, found 256"),
        (f"<{'a' * 55}@{LONG}>", "octets of path, found 257"),
        (f"<@{'a.' * 119}aa:user@example.org>", "octets of path, found 260"),
        (f"<{'ü' * 28}@{LONG}>", "octets of path, found 258"),
    ],
)
def test_a_path_that_is_too_long(text: str, message: str) -> None:
    with pytest.raises(LocalProtocolError, match=message) as refusal:
        ForwardPath.parse(text, utf8=True)
    assert (refusal.value.code, refusal.value.enhanced) == (501, "5.5.4")
    wide = Limits(local_part=1000, domain=1000, path=1000)
    assert ForwardPath.parse(text, utf8=True, limits=wide).mailbox is not None


@pytest.mark.parametrize("kind", [ReversePath, ForwardPath])
@pytest.mark.parametrize("text", ["<user@example.org>", '<"a b"@[192.0.2.1]>', None])
def test_a_path_that_was_read_has_every_field(kind: type[Path], text: str | None) -> None:
    text = text or f"<{kind.bare}>"
    made = kind(kind.parse(text).mailbox)
    read = kind.parse(text)
    for field in dataclasses.fields(kind):
        assert getattr(read, field.name) == getattr(made, field.name)
    if read.mailbox is not None:
        assert read.mailbox == Mailbox(read.mailbox.local_part, read.mailbox.domain)
    assert str(made) == str(read) == text
    assert str(copy.deepcopy(read)) == str(pickle.loads(pickle.dumps(read))) == text  # noqa: S301


def test_a_path_that_just_fits() -> None:
    text = f"<{'a' * 54}@{LONG}>"
    assert len(text) == 256
    assert str(ForwardPath.parse(text)) == text
    assert str(ForwardPath.of(text[1:-1])) == text
    with pytest.raises(LocalProtocolError, match="found 257"):
        ForwardPath.of("a" + text[1:-1])


@pytest.mark.parametrize("kind", [ReversePath, ForwardPath])
def test_a_path_whose_domain_has_a_label_of_more_than_63_octets(kind: type[Path]) -> None:
    # Alone, behind another label, and in a source route; short enough for every shortcut.
    assert kind.parse(f"<a@{'b' * 63}>").address == f"a@{'b' * 63}"
    for address in (f"a@{'b' * 64}", f"a@{'b' * 64}.example", f"a@mx.{'b' * 64}"):
        for read in (kind.of, Mailbox.parse):
            with pytest.raises(LocalProtocolError, match="labels of at most 63 octets"):
                read(address)
        with pytest.raises(LocalProtocolError, match="labels of at most 63 octets"):
            kind.parse(f"<{address}>")
    with pytest.raises(LocalProtocolError, match="labels of at most 63 octets"):
        kind.parse(f"<@{'b' * 64}:a@b.example>")


@pytest.mark.parametrize(
    "text",
    [
        "<" + "a." * 50_000,
        "<a@" + "a-" * 50_000,
        "<a@" + "a." * 50_000,
        "<" + "@a," * 40_000,
        '<"' + "\\a" * 50_000,
        "<a@[" + "a" * 100_000,
        "<a@[IPv6:" + ":" * 100_000 + "]>",
        "<a@" + "ü." * 30_000,
        "<a@[" + "1." * 50_000 + "]>",
        "<" + "@" + "a" * 100_000 + ":a@b>",
    ],
    ids=lambda text: text[:8],
)
def test_no_text_takes_more_than_linear_time(text: str) -> None:
    started = time.process_time()
    with pytest.raises(LocalProtocolError):
        ForwardPath.parse(text, utf8=True)
    assert time.process_time() - started < 2  # some milliseconds, if it is linear


# --- Properties ---------------------------------------------------------------------------------


@given(reverse_paths | forward_paths, st.sampled_from(["", " SIZE=1", ">"]))
def test_paths_come_back(path: Path, rest: str) -> None:
    limits = Limits(local_part=1000, path=1000)
    kind = type(path)
    written = str(path)
    assert kind.parse_prefix(f"X:{written}{rest}", 2, utf8=True, limits=limits) == (
        path,
        2 + len(written),
    )
    assert kind.of(path.address, limits=limits) == path
    if path.ascii:
        assert kind.parse(written, limits=limits) == path


@given(
    st.text(st.characters()) | near_paths,
    st.booleans(),
    st.sampled_from([ReversePath, ForwardPath]),
)
def test_any_text_gives_a_path_or_one_error(text: str, utf8: bool, kind: type[Path]) -> None:
    try:
        path, end = kind.parse_prefix(text, utf8=utf8)
    except LocalProtocolError:
        return
    assert utf8 or path.ascii
    assert kind.parse(str(path), utf8=utf8) == path
    assert not set(str(path)) & set("\r\n\0")
    assert text[end - 1] == ">"
    assert len(str(path).encode()) <= len(text[:end].encode()) <= 256


@given(st.text(st.characters()) | near_paths)
def test_any_text_gives_a_value_or_one_error(text: str) -> None:
    for build in (Domain, AddressLiteral, ForwardPath.of, ReversePath.of, Mailbox.parse):
        try:
            value = build(text)
        except LocalProtocolError:
            continue
        assert not set(str(value)) & set("\r\n\0")
    try:
        mailbox = Mailbox(text, ORG)
    except LocalProtocolError:
        return
    assert Mailbox.parse(str(mailbox), utf8=True, limits=Limits(local_part=10_000)) == mailbox


def outcome(read: Callable[[], tuple[Path, int]]) -> tuple[str, int] | tuple[str, str, int]:
    """What a reader gave, or how it refused, as values that compare to the letter."""
    try:
        path, end = read()
    except LocalProtocolError as error:
        return str(error), error.enhanced, error.code
    return repr(path), end


lengths = st.integers(60, 84).map(lambda length: f"<{'a' * length}@example.org>")


@given(forward_paths.map(str) | near_paths | lengths, st.booleans(), st.integers(64, 80))
def test_the_short_way_and_the_long_way_agree(text: str, utf8: bool, most: int) -> None:
    limits = Limits(local_part=most)
    read = partial(ForwardPath.parse_prefix, text, utf8=utf8, limits=limits)
    short = outcome(read)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "FULL_MAILBOX", re.compile(r"(?!)"))
        assert outcome(read) == short


def test_an_address_that_is_refused_is_named() -> None:
    """It may be one of fifty."""
    with pytest.raises(LocalProtocolError, match=r"expected '@' at octet 3, .*, in 'bad addr'$"):
        ForwardPath.of("bad addr")
    with pytest.raises(LocalProtocolError, match=r", in 'x{64}'$"):
        ReversePath.of("x" * 1000)


@pytest.mark.parametrize(
    "character", "\u00b7\u0375\u05f3\u05f4\u06fd\u06fe\u0f0b\u200c\u200d\u3007\u30fb"
)
def test_characters_that_are_valid_in_some_context(character: str) -> None:
    """RFC 5892 sections 2.6 and 2.7."""
    name = f"\u03b1{character}\u03b1.example"
    assert Domain.parse(name, utf8=True).name == name
