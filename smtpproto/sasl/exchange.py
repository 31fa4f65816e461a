"""One authentication exchange: drives the client's or server's half of a mechanism.

It takes and returns plain octets; the AUTH command adds base64, reply codes and "*" (RFC 4954
section 4).
"""

from __future__ import annotations

from typing import Any

from .credentials import Context, Credentials, Identity
from .errors import SASLError, SASLRefused
from .mechanism import Mechanism
from .questions import Challenge, Request

__all__ = ["UNEXPLAINED", "ClientExchange", "ServerExchange"]

UNEXPLAINED = "the server refused the credentials (RFC 4954 section 6)"
"""The text of a refusal without an explanation."""


class ClientExchange:
    """The client's side of an exchange.

    Send `initial` with the AUTH command, or as response to an empty first challenge.  Respond to
    each challenge with the result of `respond`.  Report the outcome with `succeeded` or `refused`.
    A `SASLError` ends the exchange: the client must cancel it, and must not believe a success that
    the server reports later.

    Arguments:
        mechanism: the chosen mechanism.
        credentials: the client's credentials.
        context: the context of this session, with the mechanisms that the server offers.

    Attributes:
        initial: the initial response; None if the server sends first.

    Raises:
        SASLError: the mechanism cannot be used with these credentials in this context.
    """

    __slots__ = ("_half", "_over", "initial", "mechanism")

    def __init__(self, mechanism: Mechanism, credentials: Credentials, context: Context) -> None:
        obstacle = mechanism.obstacle(credentials, context)
        if obstacle is not None:
            raise SASLError(f"{mechanism.name} cannot be used: {obstacle}")
        self.mechanism = mechanism
        self._half = mechanism.client(credentials, context)
        self._over = False
        first = next(self._half)
        self.initial = first if mechanism.client_first else None

    def respond(self, challenge: bytes) -> bytes:
        """Return the response to a challenge.

        Raises:
            SASLError: the challenge is malformed or unexpected.
        """
        if not self._over:
            # The half has yielded again, so it expects another challenge.
            self._over = True
            try:
                response = self._half.send(challenge)
            except StopIteration:
                pass
            else:
                self._over = False
                return response
        raise SASLError(f"{self.mechanism.name}: expected the outcome, found a challenge")

    def succeeded(self) -> None:
        """Handle the server's success (235).

        Raises:
            SASLError: the exchange is incomplete, so the server has not proved its identity where
                the mechanism requires that (SCRAM); send nothing more on this connection.
        """
        over, self._over = self._over, True
        if not over:
            try:
                self._half.send(None)
            except StopIteration:
                return
        raise SASLError(f"{self.mechanism.name}: found success before the exchange was complete")

    def refused(self) -> SASLRefused:
        """Return the error to raise after the server's failure (535), with its explanation."""
        self._over = True
        plain = SASLRefused(UNEXPLAINED)
        try:
            self._half.throw(plain)
        except SASLRefused as refused:
            return refused
        except StopIteration:
            pass
        return plain


class ServerExchange:
    """The server's side of an exchange.

    As long as `request` is not None, fulfil it and pass the result to `answer`; then `identity` is
    the client's.  An exception ends the exchange without an identity.

    Arguments:
        mechanism: the mechanism that the client chose among the offered ones.
        context: the context of this session, with the offered mechanisms.
        initial: the initial response; None if there was none.

    Attributes:
        request: a `Challenge` for the client, a `Question` to the credential store, or None.
        identity: the client's identity; None before the exchange is complete.

    Raises:
        SASLError, TypeError, ValueError: as from `answer`.
    """

    __slots__ = ("_half", "identity", "mechanism", "request")

    def __init__(
        self, mechanism: Mechanism, context: Context, initial: bytes | None = None
    ) -> None:
        if initial is not None and not mechanism.takes_initial:
            raise SASLError(
                f"{mechanism.name}: expected no initial response, found one (RFC 4954 section 4)",
                enhanced="5.7.0",
            )
        self.mechanism = mechanism
        self.identity: Identity | None = None
        self._half = mechanism.server(context)
        self.request: Request | None = next(self._half)
        if initial is not None:
            self.answer(initial)

    def answer(self, result: Any) -> None:
        """Pass the client's response to a `Challenge`, or the store's answer to a `Question`.

        Raises:
            SASLError: the response is malformed.
            SASLRefused: the server refuses the credentials.
            TypeError: the store's answer has the wrong type for the question.
            ValueError: the store's answer has the wrong value.  This and the one above are faults
                of this side; a server replies 454 4.7.0.
        """
        asked, self.request = self.request, None
        if isinstance(asked, Challenge) and not isinstance(result, bytes):
            raise TypeError(f"expected a response as bytes, found {type(result).__name__}")
        try:
            self.request = self._half.send(result)
        except StopIteration as stop:
            if not isinstance(stop.value, Identity):
                raise TypeError(f"{self.mechanism.name} ended without an identity") from None
            self.identity = stop.value
