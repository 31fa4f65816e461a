"""Submission with TLS, users and a policy, and the error when one of them fails.

Run it as `python examples/tls_and_login.py`; needs trustme for a throw-away certificate
(`smtpproto-sansio[cli]`).
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import trustme

from smtpproto import Limits, LineEndings, ProtocolError, Reply, Session, Syntax, TLSFacts, sync
from smtpproto.adapters.connecting import ConnectionSettings
from smtpproto.adapters.tls_contexts import CertificateFiles, client_context
from smtpproto.conversations import (
    Admission,
    Answer,
    AuthenticationError,
    ConnectionLost,
    ContentLost,
    Envelope,
    Handler,
    PermanentError,
    ServerTLS,
    SMTPError,
    TLSError,
    TLSMode,
    TLSPolicy,
    Transcript,
    TransientError,
)
from smtpproto.sasl import Credentials, Users

HOST = "127.0.0.1"
ANN = Credentials(username="ann", password="open sesame")


class Submission(Handler):
    """Accepts mail from users only, and only in their own name."""

    def connect(self, session: Session) -> Answer:
        return Reply(554, "5.7.1", "go away") if session.peer == "192.0.2.1" else None

    def content(self, session: Session, envelope: Envelope, chunks: Iterator[bytes]) -> Answer:
        assert session.tls is not None
        try:
            octets = sum(map(len, chunks))
        except ContentLost as lost:
            print("   nothing is delivered:", lost)
            raise
        tls = f"{session.tls.version} {session.tls.cipher}"
        print(f"   {session.identity} sent {octets} octets by {tls}")
        sender = str(envelope.reverse_path.mailbox)
        if sender != f"{session.identity}@example.org":
            return Reply(550, "5.7.1", f"{session.identity} is not {sender}")
        return None


def wanted(facts: TLSFacts) -> str | None:
    """A policy of your own: return what is wrong with a TLS connection, or None."""
    return None if facts.version == "TLSv1.3" else f"{facts.version} is too old"


def submit(settings: ConnectionSettings, sender: str = "ann@example.org") -> None:
    """Try to send a message, and print the result."""
    try:
        with sync.connect_with(settings) as client:
            envelope = Envelope.of(sender, ["bob@example.com"])
            for outcome in client.send(envelope, b"Subject: hello\r\n\r\nHello.\r\n").outcomes:
                print("->", outcome.status.name, outcome.reply)
    except AuthenticationError as error:
        print("-> who are you?", first_line(error))
    except TLSError as error:
        print("-> no TLS:", first_line(error))
    except (TransientError, PermanentError) as error:
        print("->", "later" if isinstance(error, TransientError) else "never", error.reply)
    except ConnectionLost as error:
        print("-> the link broke:", first_line(error))
    except (SMTPError, ProtocolError, OSError) as error:
        print("-> something else:", first_line(error))


def first_line(error: Exception) -> str:
    """The error itself; its further lines say what to check."""
    return str(error).partition("\n")[0]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        authority = trustme.CA()
        certificate, key = Path(name, "cert.pem"), Path(name, "key.pem")
        issued = authority.issue_cert("mx.example.org")
        issued.cert_chain_pems[0].write_to_path(str(certificate))
        issued.private_key_pem.write_to_path(str(key))
        trusting = client_context()
        authority.configure_trust(trusting)

        with sync.serve(
            Submission(),
            hostname="mx.example.org",
            tls=ServerTLS.STARTTLS,
            # The server reads renewed files at the next handshake, without a restart.
            tls_context=CertificateFiles(certificate, key),
            users=Users({"ann": "open sesame"}, secret=secrets.token_bytes(32)),
            limits=Limits(recipients=100),
            admission=Admission(most=100, each=10),
            line_endings=LineEndings.REFUSE,
            syntax=Syntax.STRICT,
        ) as server:
            known = ConnectionSettings(
                HOST,
                server.port,
                tls_context=trusting,
                server_hostname="mx.example.org",
                credentials=ANN,
            )
            print("as it should be")
            policy = TLSPolicy(hosts=("mx.example.org",), check=wanted)
            submit(replace(known, policy=policy))
            print("in another's name")
            submit(known, "boss@example.org")
            print("with a wrong password")
            guess = Credentials(username="ann", password="guess")
            submit(replace(known, credentials=guess))
            print("to a server with an unknown authority")
            submit(replace(known, tls_context=None))
            print("to a server that should be another")
            submit(replace(known, server_hostname="mx.example.com"))
            print("against the policy")
            submit(replace(known, policy=TLSPolicy(hosts=("mx.example.net",))))
            print("with TLS from the start, which this port does not speak")
            submit(replace(known, tls=TLSMode.IMPLICIT))
            print("and what is said meanwhile, without secrets")
            submit(replace(known, observer=Transcript(print)))


if __name__ == "__main__":
    main()
