"""The messages of SCRAM (RFC 5802 section 7)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.sasl.errors import SASLError, SASLRefused
from smtpproto.sasl.scram_messages import ClientFinal, ClientFirst, ServerFirst, raise_error


def test_client_first() -> None:
    message = b"p=tls-unique,a=o=2Cx,n=us=3Der,r=a=b,x=y,z=1=2"
    assert ClientFirst.parse(message) == ClientFirst(
        flag="p=tls-unique",
        header="p=tls-unique,a=o=2Cx,",
        bare="n=us=3Der,r=a=b,x=y,z=1=2",
        authorization="o,x",
        username="us=er",
        nonce="a=b",
    )


def test_server_first() -> None:
    assert ServerFirst.parse(b"r=ab,s=c2FsdA==,i=4096,x=y") == ServerFirst("ab", b"salt", 4096)


def test_client_final() -> None:
    assert ClientFinal.parse(b"c=biws,r=ab,x=y,p=AAAA") == ClientFinal(
        binding="biws", nonce="ab", unproven="c=biws,r=ab,x=y", proof=b"\0\0\0"
    )


MALFORMED = {
    ClientFirst.parse: [
        (b"", "channel binding flag"),
        (b"n", 'expected attribute "n"'),
        (b"n,,", 'expected attribute "n"'),
        (b"n,,n=user", 'expected attribute "r"'),
        (b"n,,n=,r=x", 'expected attribute "n"'),
        (b"n,,r=x,n=user", 'expected attribute "n"'),
        (b"n,n=user,r=x", 'expected attribute "a"'),
        (b"n,a=,n=user,r=x", 'expected attribute "a"'),
        (b"N,,n=user,r=x", "channel binding flag"),
        (b"p=,,n=user,r=x", "channel binding flag"),
        (b"p=a_b,,n=user,r=x", "channel binding flag"),
        (b"F,n,,n=user,r=x", "channel binding flag"),
        (b"n,,m=x,n=user,r=x", "mandatory extension"),
        (b"n,,n=user,m=x,r=x", "mandatory extension"),
        (b"n,,n=user,r=x,m=x", "optional extension"),
        (b"n,,n=user,r=x,", "optional extension"),
        (b"n,,n=user,r=x,1=x", "optional extension"),
        (b"n,,n=user,r=x,x=", "optional extension"),
        (b"n,,n=user,r=x,x=\0", "optional extension"),
        (b"n,,n=us=er,r=x", "saslname"),
        (b"n,,n=u\0ser,r=x", "attribute"),
        (b"n,a=x=,n=user,r=x", "saslname"),
        (b"n,,n=user,r= ", "printable nonce"),
        (b"n,,n=user,r=\xc3\xa9", "printable nonce"),
        (b"n,,n=user\xff,r=x", "UTF-8"),
        (b"n,,n=user,r=" + b"x" * 10000, "at most 9216 octets"),
        (b"n,,n=" + b"x" * 1025 + b",r=x", "at most 1024 octets"),
    ],
    ServerFirst.parse: [
        (b"", 'expected attribute "r"'),
        (b"r=x", 'expected attribute "s"'),
        (b"r=x,s=AAAA", 'expected attribute "i"'),
        (b"r=x,i=4096,s=AAAA", 'expected attribute "s"'),
        (b"r=x,s=A,i=4096", "base64"),
        (b"r=x,s=AAAA,i=0", "iteration count"),
        (b"r=x,s=AAAA,i=-1", "iteration count"),
        (b"r=x,s=AAAA,i=+1", "iteration count"),
        (b"r=x,s=AAAA,i=01", "iteration count"),
        (b"r=x,s=AAAA,i=1_0", "iteration count"),
        ("r=x,s=AAAA,i=٤".encode(), "iteration count"),
        (b"r=x,s=AAAA,i=" + b"1" * 5000, "iteration count"),
        (b"r=x,s=AAAA,i=4096,m=x", "optional extension"),
    ],
    ClientFinal.parse: [
        (b"", 'expected attribute "p"'),
        (b"c=biws,r=x", 'expected attribute "p"'),
        (b"p=AAAA", 'expected attribute "p"'),
        (b"c=biws,p=AAAA,r=x", 'expected attribute "p"'),
        (b"r=x,c=biws,p=AAAA", 'expected attribute "r"'),
        (b"x=biws,r=x,p=AAAA", 'expected attribute "c"'),
        (b"c=biws,r=x,p=A", "base64"),
        (b"c=biws,r=x,m=x,p=AAAA", "optional extension"),
    ],
}


@pytest.mark.parametrize(
    "parse, message, why",
    [(parse, *row) for parse, rows in MALFORMED.items() for row in rows],
)
def test_malformed(parse: Callable[[bytes], object], message: bytes, why: str) -> None:
    with pytest.raises(SASLError, match=why):
        parse(message)


@pytest.mark.parametrize(
    "message, error",
    [
        (b"e=invalid-proof", "invalid-proof"),
        (b"e=invalid-proof,x=y", "invalid-proof"),
        (b"e=", "other-error"),
        (b"e=new\r\n\xff", "other-error"),
    ],
)
def test_an_error_of_the_server(message: bytes, error: str) -> None:
    with pytest.raises(SASLRefused, match=f"the server reports {error} "):
        raise_error(message)


def test_no_error_of_the_server() -> None:
    raise_error(b"v=AAAA")


pieces = st.sampled_from(
    b"n y p=x a=b n=u r=x s=AAAA i=4096 c=biws p=AAAA m=1 x=y =  \0 \xff".split(b" ")
)


@given(st.binary(max_size=60) | st.lists(pieces, max_size=6).map(b",".join))
def test_nothing_but_the_documented_error_escapes(message: bytes) -> None:
    for parse in MALFORMED:
        with suppress(SASLError):
            parse(message)
