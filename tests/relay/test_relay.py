"""examples/relay: what it accepts, where it delivers, what it tells the sender."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import authres
import pytest

from examples.mail_authentication.handler import Authenticating
from examples.mail_authentication.signing import Key, signed
from examples.names import name_server
from examples.relay.delivery import Schedule
from examples.relay.reception import EXTENSIONS
from smtpproto import ForwardPath, Mail, Rcpt, Reply, ReversePath, sync
from smtpproto.extensions import (
    Body,
    Dsn,
    Envid,
    Notify,
    Orcpt,
    RequireTls,
    Ret,
    Size,
    SizeParameter,
    SmtpUtf8Parameter,
)
from smtpproto.sync import Envelope
from tests.programs import HOST, ROOT, environment, until
from tests.relay.world import LETTER, NO_USER, read, relay, zone

FULL = Reply(452, "4.2.2", "mailbox full")
EVE = ReversePath.of("eve@here.example")
WITHOUT_DSN = tuple(each for each in EXTENSIONS if not isinstance(each, (Dsn, RequireTls)))


def rcpt(address: str, *parameters: Notify | Orcpt) -> Rcpt:
    return Rcpt(ForwardPath.of(address), parameters)


def test_a_message_is_passed_on(tmp_path: Path) -> None:
    with relay(tmp_path, zone("there.example")) as here:
        delivery = here.send("bob@there.example", "ann@There.Example")
        assert [outcome.reply for outcome in delivery.outcomes] == [
            Reply(250, "2.0.0", "queued as 1")
        ] * 2
        ((envelope, content),) = here.behind.wait_for(1)
        # One mail transaction for the domain; each server on the way writes a field.
        assert [str(path) for path in envelope.forward_paths] == [
            "<bob@there.example>",
            "<ann@There.Example>",
        ]
        fields = [line.partition(b":")[0] for line in content.splitlines() if b":" in line]
        assert [each for each in fields if each.strip() == each].count(b"Received") == 2
        assert content.endswith(LETTER)
        here.wait_until_empty()


def test_parameters_are_passed_on(tmp_path: Path) -> None:
    envelope = Envelope(
        Mail(EVE, (Ret("HDRS"), Envid.of("q 1"), SizeParameter(9))),
        (rcpt("bob@there.example", Notify(("SUCCESS",)), Orcpt.of("bob@old.example")),),
    )
    content = LETTER.replace(b"hello", "grüße".encode())
    with relay(tmp_path, zone("there.example")) as here:
        assert here.submit(envelope, content).complete
        ((arrived, stored),) = here.behind.wait_for(1)
    assert arrived.recipients == envelope.recipients
    mail = arrived.mail
    assert (mail.get(Ret), mail.get(Envid)) == (Ret("HDRS"), Envid.of("q 1"))
    # These are about the content as it is now.
    assert mail.get(SmtpUtf8Parameter) is not None
    assert mail.get(Body) == Body("8BITMIME")
    size = mail.get(SizeParameter)
    assert size is not None
    assert 9 < size.octets < len(stored)


def test_each_domain_has_a_mail_transaction(tmp_path: Path) -> None:
    with relay(tmp_path, zone("a.example", "b.example")) as here:
        assert here.send("1@a.example", "1@b.example", "2@a.example").complete
        arrived = here.behind.wait_for(2)
        assert sorted(len(envelope.recipients) for envelope, _ in arrived) == [1, 2]


def test_connections_are_used_again(tmp_path: Path) -> None:
    with relay(tmp_path, zone("there.example"), schedule=Schedule(workers=1)) as here:
        for number in range(1, 6):
            here.send("bob@there.example")
            here.behind.wait_for(number)
        here.wait_until_empty()
        assert here.behind.sessions == 1


def test_a_refusal_for_now_is_tried_again(tmp_path: Path) -> None:
    with relay(tmp_path, zone("there.example")) as here:
        here.behind.answers["bob@there.example"] = [FULL, FULL, None]
        here.send("bob@there.example", "ann@there.example")
        first, second = here.behind.wait_for(2)
        # No recipient gets it twice.
        assert [str(path) for path in first[0].forward_paths] == ["<ann@there.example>"]
        assert [str(path) for path in second[0].forward_paths] == ["<bob@there.example>"]
        here.wait_until_empty()


def test_the_pauses_grow(tmp_path: Path) -> None:
    schedule = Schedule(first=1000, longest=3000)
    with relay(tmp_path, zone("there.example"), schedule=schedule) as here:
        here.behind.answers["bob@there.example"] = [FULL] * 9
        here.send("bob@there.example")
        pauses = []
        for tries in range(1, 5):
            until(lambda t=tries: here.store.listing()[0]["tries"] == t, 20, "an attempt")  # type: ignore[misc]
            (row,) = here.store.listing()
            assert row["last"] == "452 4.2.2 mailbox full"
            pauses.append(row["due"] - row["arrived"])
            with here.store._db as db:
                db.execute("UPDATE recipient SET due = 0")
        assert [round(pause / 1000) for pause in pauses] == [1, 2, 3, 3]


def test_a_refusal_for_good_is_told_to_the_sender(tmp_path: Path) -> None:
    envelope = Envelope(
        Mail(EVE, (Envid.of("q 1"),)),
        (
            rcpt("bob@there.example", Orcpt.of("bob+x@old.example")),
            rcpt("ann@there.example"),
            rcpt("quiet@there.example", Notify(("NEVER",))),
            rcpt("happy@there.example", Notify(("SUCCESS",))),
        ),
    )
    with relay(tmp_path, zone("there.example", "here.example")) as here:
        for name in ("bob", "quiet", "happy"):
            here.behind.answers[f"{name}@there.example"] = [NO_USER]
        here.submit(envelope)
        back, content = here.notification()
        here.wait_until_empty()
        assert len(here.behind.arrived) == 2
    assert (str(back.reverse_path), [str(path) for path in back.forward_paths]) == (
        "<>",
        ["<eve@here.example>"],
    )
    message, text, (about, bob), returned = read(content)
    assert message["auto-submitted"] == "auto-replied"
    assert message["to"] == "eve@here.example"
    assert "<bob@there.example> failed: 550 5.1.1 no such user" in text
    assert dict(about) == {
        "Reporting-MTA": "dns;relay.example",
        "Original-Envelope-Id": "q 1",
    }
    assert dict(bob) == {
        "Original-Recipient": "rfc822;bob+x@old.example",
        "Final-Recipient": "rfc822;bob@there.example",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns;mx.example",
        "Diagnostic-Code": "smtp;550 5.1.1 no such user",
    }
    assert returned.get_content_type() == "text/rfc822-headers"
    assert "Subject: hello" in returned.get_content()
    assert "Hello." not in returned.get_content()


def test_the_whole_message_is_returned_where_asked_for(tmp_path: Path) -> None:
    envelope = Envelope(Mail(EVE, (Ret("FULL"),)), (rcpt("bob@there.example"),))
    with relay(tmp_path, zone("there.example", "here.example")) as here:
        here.behind.answers["bob@there.example"] = [NO_USER]
        here.submit(envelope)
        _, content = here.notification()
    *_, returned = read(content)
    assert returned.get_content_type() == "message/rfc822"
    assert LETTER in content


def test_octets_above_127_are_returned_as_they_came(tmp_path: Path) -> None:
    envelope = Envelope(Mail(EVE, (Ret("FULL"),)), (rcpt("bob@there.example"),))
    letter = LETTER.replace(b"Hello.", b"\xff\xfe gr\xc3\xbc\xc3\x9fe")
    with relay(tmp_path, zone("there.example", "here.example")) as here:
        here.behind.answers["bob@there.example"] = [NO_USER]
        assert here.submit(envelope, letter, chunking=True).complete
        _, content = here.notification()
    assert letter in content


def test_there_is_no_notification_of_a_notification(tmp_path: Path) -> None:
    with relay(tmp_path, zone("there.example", "here.example")) as here:
        here.behind.answers["bob@there.example"] = [NO_USER]
        here.submit(Envelope.of("", "bob@there.example"))
        here.wait_until_empty()
        assert here.behind.arrived == []


def test_utf8_needs_other_types(tmp_path: Path) -> None:
    with relay(tmp_path, zone("there.example", "here.example")) as here:
        here.behind.answers["jürgen@there.example"] = [NO_USER]
        here.send("jürgen@there.example")
        back, content = here.notification()
    assert back.mail.get(SmtpUtf8Parameter) is not None
    assert b"\r\nContent-Type: message/global-delivery-status\r\n" in content
    assert "\r\nFinal-Recipient: utf-8;jürgen@there.example\r\n".encode() in content
    assert b"\r\nContent-Type: message/global-headers\r\n" in content


@pytest.mark.parametrize("notifies", [True, False])
def test_success_is_told_by_the_last_server_that_can(tmp_path: Path, notifies: bool) -> None:
    envelope = Envelope(
        Mail(EVE, (Ret("FULL"),)),
        (rcpt("bob@there.example", Notify(("SUCCESS", "FAILURE"))), rcpt("ann@there.example")),
    )
    behind = sync.ListeningSettings(extensions=EXTENSIONS if notifies else WITHOUT_DSN)
    with relay(tmp_path, zone("there.example", "here.example"), behind=[behind]) as here:
        here.submit(envelope)
        ((arrived, _),) = here.behind.wait_for(1)
        assert (arrived.recipients[0].get(Notify) is not None) is notifies
        if notifies:
            here.wait_until_empty()
            assert here.behind.of("") == []
            return
        _, content = here.notification()
    _, _, (_, bob), returned = read(content)
    assert (bob["Action"], bob["Status"]) == ("relayed", "2.0.0")
    assert returned.get_content_type() == "text/rfc822-headers"


def test_it_gives_up(tmp_path: Path) -> None:
    schedule = Schedule(first=0.05, lifetime=0.2)
    with relay(tmp_path, zone("there.example", "here.example"), schedule=schedule) as here:
        here.behind.answers["bob@there.example"] = [FULL] * 99
        here.send("bob@there.example")
        _, content = here.notification()
    _, _, (_, bob), _ = read(content)
    assert bob["Status"] == "5.4.7"
    assert bob["Diagnostic-Code"] == "smtp;554 5.4.7 452 4.2.2 mailbox full"


def test_a_domain_that_takes_no_mail(tmp_path: Path) -> None:
    records = zone("there.example")
    records["no-mail.example", "MX"] = "0 ."
    with relay(tmp_path, records) as here:
        delivery = here.send("bob@no-mail.example", "bob@there.example")
        assert list(delivery.refused.values()) == [
            Reply(556, "5.1.10", "Domain does not accept mail")
        ]
        here.behind.wait_for(1)


def test_a_domain_that_takes_no_mail_any_more(tmp_path: Path) -> None:
    """It said so after the message was accepted."""
    records = zone("there.example", "here.example")
    with relay(tmp_path, records) as here:
        here.behind.answers["bob@there.example"] = [FULL]
        here.send("bob@there.example")
        here.attempted()
        records["there.example", "MX"] = "0 ."
        here.forget_routes()
        _, content = here.notification()
    _, _, (_, bob), _ = read(content)
    assert bob["Status"] == "5.1.10"


def test_domains_without_mail_exchangers(tmp_path: Path) -> None:
    records = zone("here.example")
    records["host.example", "A"] = HOST
    records["name.example", "TXT"] = '"no address"'
    with relay(tmp_path, records) as here:
        assert here.send("bob@host.example", "bob@name.example", "bob@gone.example").complete
        ((envelope, _),) = here.behind.wait_for(1)
        assert [str(path) for path in envelope.forward_paths] == ["<bob@host.example>"]
        told = [read(content)[2][1]["Status"] for _, content in here.behind.wait_for(2, "")]
        assert told == ["5.4.4", "5.4.4"]


def test_an_address_literal(tmp_path: Path) -> None:
    with relay(tmp_path, {}) as here:
        assert here.send(f"bob@[{HOST}]").complete
        here.behind.wait_for(1)


def test_the_second_mail_exchanger(tmp_path: Path) -> None:
    """No server listens at the first."""
    records = zone()
    records["there.example", "MX"] = ["10 down.example.", "20 mx.example."]
    records["down.example", "A"] = "127.0.0.77"
    with relay(tmp_path, records) as here:
        here.send("bob@there.example")
        here.behind.wait_for(1)


def test_dns_that_fails_for_a_while(tmp_path: Path) -> None:
    from dns.rcode import SERVFAIL

    records = zone()
    records["there.example", "MX"] = SERVFAIL
    with relay(tmp_path, records) as here:
        assert here.send("bob@there.example").complete
        here.attempted()
        assert here.store.listing()[0]["last"].startswith("451 4.4.3 MX of there.example")
        records.update(zone("there.example"))
        here.behind.wait_for(1)


def test_loops_end(tmp_path: Path) -> None:
    with relay(tmp_path, zone("there.example")) as here:
        ninety_nine = b"Received: from a.example by b.example\r\n" * 99
        assert here.send("bob@there.example", content=ninety_nine + LETTER).complete
        over = b"received : from a.example by b.example\r\n" + ninety_nine + LETTER
        delivery = here.send("bob@there.example", content=over)
        assert [reply.enhanced for reply in delivery.refused.values()] == ["5.4.6"]
        here.behind.wait_for(1)


def test_it_is_no_open_relay(tmp_path: Path) -> None:
    with relay(tmp_path, zone("there.example", "open.example")) as here:
        with sync.connect(HOST, here.port, source_address="127.0.0.9") as client:
            delivery = client.send(
                Envelope.of("eve@x.example", ["bob@there.example", "bob@open.example"]), LETTER
            )
        assert [reply.enhanced for reply in delivery.refused.values()] == ["5.7.1"]
        here.behind.wait_for(1, "eve@x.example")


def test_the_postmaster_has_no_domain(tmp_path: Path) -> None:
    with relay(tmp_path, zone("there.example")) as here:
        assert here.submit(Envelope.of("eve@here.example", "postmaster")).complete
        ((envelope, _),) = here.behind.wait_for(1)
        assert [str(path) for path in envelope.forward_paths] == ["<root@there.example>"]


def test_content_that_the_next_server_cannot_take(tmp_path: Path) -> None:
    behind = sync.ListeningSettings(extensions=(Size(100),))
    with relay(tmp_path, zone("there.example", "here.example"), behind=[behind]) as here:
        here.send("bob@there.example", content="Subject: grüße\r\n\r\nhi\r\n".encode())
        here.wait_until_empty()


def test_a_signature_survives(tmp_path: Path) -> None:
    """What the relay passes on is what was signed."""
    key = Key.rsa("here.example", "main")
    records = {
        **zone("there.example"),
        ("_dmarc.here.example", "TXT"): '"v=DMARC1; p=reject"',
        (key.name, "TXT"): key.txt,
    }
    arrived: list[bytes] = []
    with name_server(records) as resolver:
        checking = Authenticating("mx.example", resolver, lambda *each: arrived.append(each[2]))
        with relay(tmp_path, records, handler=checking) as here:
            here.send("bob@there.example", content=signed(LETTER, key))
            until(lambda: arrived, 20, "the message")
            # The same without a signature is refused, and so comes back.
            here.send("bob@there.example")
            until(here.store.listing, 20, "the notification")
    field = arrived[0].partition(b"\r\nReceived:")[0].decode().replace("\r\n\t", " ")
    results = authres.all_features().parse(field).results
    assert [f"{each.method}={each.result}" for each in results] == [
        *("spf=none", "dkim=pass", "dmarc=pass"),
    ]


def test_the_queue_is_shown(tmp_path: Path) -> None:
    schedule = Schedule(first=1000)
    with relay(tmp_path, zone("there.example"), schedule=schedule) as here:
        here.behind.answers["bob@there.example"] = [FULL]
        here.send("bob@there.example")
        here.attempted()
        done = subprocess.run(
            [sys.executable, "-m", "examples.relay", "queue", str(tmp_path / "queue.db")],
            capture_output=True,
            text=True,
            check=True,
            env=environment(),
            cwd=ROOT,
        )
    assert done.stdout.startswith("1: ")
    assert "MAIL FROM:<eve@here.example>" in done.stdout
    assert "RCPT TO:<bob@there.example>" in done.stdout
    assert done.stdout.endswith("452 4.2.2 mailbox full\n")


@pytest.mark.parametrize("option", ["--certificate", "--listen"])
def test_the_command_ends_if_it_cannot_begin(tmp_path: Path, option: str) -> None:
    """A file that is not there, or a port that is taken, leaves no thread that holds it up."""
    with socket.create_server((HOST, 0)) as taken:
        value = {"--certificate": "missing.pem", "--listen": str(taken.getsockname()[1])}[option]
        done = subprocess.run(
            [
                *(sys.executable, "-m", "examples.relay", "serve"),
                tmp_path / "queue.db",
                option,
                value,
            ],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
            env=environment(),
            cwd=ROOT,
        )
    assert done.returncode == 1
    assert "No such file" in done.stderr or "Address already in use" in done.stderr
