"""Address lists of a header: all of the text is read, or it is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smtpproto.errors import LocalProtocolError
from smtpproto.grammar.address_list import read_address_list


def found(text: str) -> list[str]:
    addresses = read_address_list(text, "To").addresses
    return [f"{address.local_part}@{address.domain}" for address in addresses]


@pytest.mark.parametrize(
    "text, addresses",
    [
        ("", []),
        (" \t(nobody)", []),
        ("a@x.example", ["a@x.example"]),
        ("<a@x.example>", ["a@x.example"]),
        ("A B <a@x.example>, c@y.example", ["a@x.example", "c@y.example"]),
        ('"Doe, J. \\"x\\"" <a@x.example>', ["a@x.example"]),
        ('"a b"@x.example', ["a b@x.example"]),
        ('"a@b" <c@x.example>', ["c@x.example"]),
        ("=?utf-8?q?J=C3=BC?= <a@x.example>", ["a@x.example"]),
        ("Jürgen <jürgen@grüße.example>", ["jürgen@grüße.example"]),
        ("a@[192.0.2.1]", ["a@[192.0.2.1]"]),
        ("friends: a@x.example, B <b@x.example>;", ["a@x.example", "b@x.example"]),
        ("undisclosed-recipients:;", []),
        ("g:; , h: a@x.example; , b@x.example", ["a@x.example", "b@x.example"]),
        # Comments, in one another and with quoted-pairs.
        ("a@x.example (A (the (first)) \\) one), b@x.example", ["a@x.example", "b@x.example"]),
        ("(c) a (c) @ (c) x (c) . (c) example (c)", ["a@x.example"]),
        # What is obsolete (section 4.4).
        ("a@x.example,, ,b@x.example,", ["a@x.example", "b@x.example"]),
        ("g: ,a@x.example,,b@x.example,;", ["a@x.example", "b@x.example"]),
        ("John Q. Public <a@x.example>", ["a@x.example"]),
        ('a . "b c" . d@x.example', ["a.b c.d@x.example"]),
        ("<@one.example,@two.example:a@x.example>", ["a@x.example"]),
        ("< @one.example , , @two.example : a@x.example >", ["a@x.example"]),
        ("a@[ 192.0.2.1\t]", ["a@[192.0.2.1]"]),
    ],
)
def test_what_is_listed(text: str, addresses: list[str]) -> None:
    assert found(text) == addresses


@pytest.mark.parametrize(
    "text, problem",
    [
        ("a@x.example; b@x.example", "expected ',' or the end, found ';' in 'a@x.example; b@x"),
        ("a@x.example, Bob b@x.example", "found '@' in 'Bob b@x.example'"),
        ("a@x.example, b@", "expected a domain, found the end in 'b@'"),
        ("Dept: a@x.example; b@x.example", "found 'b' in '; b@x.example'"),
        ("a@x.example b@x.example", "found 'b' in 'a@x.example b@x.example'"),
        ("a@x.example <b@x.example>", "found '<'"),
        ("bob", "expected '@', '<' or ':' after a word, found the end in 'bob'"),
        ("a@x.example, >", "expected an address, found '>'"),
        (":a@x.example", "expected an address, found ':'"),
        ("g: h: a@x.example;;", "expected '@', '<' or ':' after a word, found ':'"),
        ("g: a@x.example", "expected ',' or ';' in a group, found the end"),
        ("g: a@x.example b@x.example;", "expected ',' or ';' in a group, found 'b'"),
        ("<>", "expected a local-part and '@', found '>'"),
        ("<a@x.example", "expected '>', found the end"),
        ("<@one.example a@x.example>", "expected ':' after a route, found 'a'"),
        ("a..b@x.example", "found '@' in 'a..b@x.example'"),
        (".a@x.example", "found '@'"),
        ("a.@x.example", "found '@'"),
        ("@x.example", "expected an address, found '@'"),
        ("a@x..example", "expected a domain, found '.'"),
        ("a@x.example.", "expected a domain, found the end"),
        ('"a@x.example', "found '\"'"),
        ("a@x.example (a", "expected ')', found the end"),
        ("a@x.example (a\\", "expected ')', found '\\\\'"),
        ("(a\x00) a@x.example", "expected ')', found '\\x00'"),
        ("a@x.example\nb@x.example", "found '\\n'"),
        ("a" * 200 + " b@x.example", "found '@' in '@x.example'"),
    ],
)
def test_what_is_no_list(text: str, problem: str) -> None:
    with pytest.raises(LocalProtocolError, match=r"^To: expected .*\(RFC 5322") as caught:
        found(text)
    assert problem in str(caught.value)
    assert caught.value.enhanced == "5.1.3"


def test_where_the_parts_stand() -> None:
    text = 'g (x): "A B" C <@r:a@x> (y \\( (z)), b.c@[1.2.3.4];'
    listed = read_address_list(text, "To")
    assert [text[each.start : each.end] for each in listed.addresses] == ["a@x", "b.c@[1.2.3.4]"]
    assert [text[each.start : each.end] for each in listed.names] == ["g", '"A B" C']
    assert [each.text for each in listed.names] == ["g", "A B C"]
    assert [text[each.start : each.end] for each in listed.comments] == ["(x)", "(y \\( (z))"]
    assert [each.text for each in listed.comments] == ["x", "y ( (z)"]


# --- nothing is left out --------------------------------------------------------------------------

SPACE = st.lists(
    st.sampled_from([" ", "\t", "(c)", "(a@b, c@d)", "(\\)\\()", "((x)<y@z>)"]), max_size=2
).map("".join)
ATOM = st.text("ab-'=?ü", min_size=1, max_size=4)
QUOTED = st.text(' a,;:<>@()\\"ü', max_size=5).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
DOMAIN = st.one_of(
    st.lists(ATOM, min_size=1, max_size=3).map(".".join), st.sampled_from(["[192.0.2.1]", "[x:y]"])
)


@st.composite
def addr_specs(draw: st.DrawFn) -> tuple[str, str]:
    """How an address is written, and what it is."""
    words = draw(st.lists(st.one_of(ATOM, QUOTED), min_size=1, max_size=3))
    spaces = draw(st.lists(SPACE, min_size=6, max_size=6))
    dot = f"{spaces[0]}.{spaces[1]}"
    domain = draw(DOMAIN)
    said = ".".join(re.sub(r"\\(.)", r"\1", w[1:-1]) if w[0] == '"' else w for w in words)
    return f"{dot.join(words)}{spaces[2]}@{spaces[3]}{domain}", f"{said}@{domain}"


@st.composite
def mailboxes(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A mailbox, with or without a display name."""
    (written, address), space = draw(addr_specs()), draw(SPACE)
    if draw(st.booleans()):
        return f"{space}{written}{draw(SPACE)}", [address]
    name = " ".join(draw(st.lists(st.one_of(ATOM, QUOTED, st.just("Q.")), max_size=3)))
    route = draw(st.sampled_from(["", "@r.example:", "@r.example, @s.example :"]))
    return f"{space}{name}{draw(SPACE)}<{route}{written}{draw(SPACE)}>", [address]


@st.composite
def groups(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A group."""
    members = draw(st.lists(mailboxes(), max_size=3))
    text = ",".join(written for written, _ in members)
    name = draw(st.one_of(ATOM, QUOTED))
    return f"{name}{draw(SPACE)}:{text};", [a for _, found in members for a in found]


EMPTY = SPACE.map(lambda space: (space, list[str]()))


@given(st.lists(st.one_of(mailboxes(), groups(), EMPTY), max_size=4))
def test_all_that_is_listed_is_found(parts: list[tuple[str, list[str]]]) -> None:
    text = ",".join(written for written, _ in parts)
    assert found(text) == [address for _, addresses in parts for address in addresses]


@given(st.text('ab@.,;:<>()[]"\\ \té\x00\n', max_size=30))
@example("a@b (c) <d@e>")
def test_what_is_not_found_is_refused(text: str) -> None:
    """In a list that is read nothing stands between its parts but what joins them."""
    try:
        listed = read_address_list(text, "To")
    except LocalProtocolError:
        return
    left = list(text)
    spans = [(each.start, each.end) for each in listed.addresses]
    spans += [(each.start, each.end) for each in (*listed.names, *listed.comments)]
    for start, end in spans:
        left[start:end] = " " * (end - start)
    # A route is left out on purpose.
    rest = re.sub(r"<\s*@[^:]*:", "<", "".join(left))
    assert not re.search(r"[^\s,;:<>]", rest)
    assert rest.count("<") == rest.count(">") <= len(listed.addresses)


def test_time_is_linear() -> None:
    """Deep comments, long names and open quotes are read in one pass each."""
    for text in ("(" * 50_000, '"' + "a" * 50_000, "a." * 50_000, "<" * 50_000, "a " * 50_000):
        with pytest.raises(LocalProtocolError):
            found(text)
    assert len(found("a@b," * 10_000)) == 10_000
