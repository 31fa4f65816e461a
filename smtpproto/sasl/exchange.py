"""One authentication exchange, driven from outside: a thin shell around a mechanism's half.

Octets go in and come out as they are; base64, reply codes and "*" are the business of the AUTH
command (RFC 4954 section 4).
"""

from __future__ import annotations

from typing import Any

from .errors import SASLError, SASLRefused
from .mechanism import Mechanism
from .questions import Challenge, Request
from .values import Context, Credentials, Identity

__all__ = ["UNEXPLAINED", "ClientExchange", "ServerExchange"]

UNEXPLAINED = "the server refused the credentials (RFC 4954 section 6)"
"""The text of a refusal of which no more is known than that."""


class ClientExchange:
    """An exchange as the client sees it.

    Send `initial` with the AUTH command, or in answer to an empty first challenge; answer each
    challenge with what `respond` gives.  Report the server's verdict with `succeeded` or `refused`.
    Whatever raises `SASLError` ends the exchange: the client cancels it, and a success that the
    server reports afterwards counts for nothing.

    Arguments:
        mechanism: the one chosen.
        credentials: what to prove.
        context: of this session, with what the server offers.

    Attributes:
        initial: the initial response; None if the server speaks first.

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
        """The response to a challenge.

        Raises:
            SASLError: the challenge is not what the mechanism allows, or not even due.
        """
        if not self._over:
            # Only a half that yields again can go on.
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
        """The server reports success (235); return only if that can be believed.

        Raises:
            SASLError: the exchange is not complete, so that the server has not proved itself where
                the mechanism has it do so (SCRAM); nothing may be sent on this connection any more.
        """
        over, self._over = self._over, True
        if not over:
            try:
                self._half.send(None)
            except StopIteration:
                return
        raise SASLError(f"{self.mechanism.name}: found success before the exchange was complete")

    def refused(self) -> SASLRefused:
        """The server reports failure (535): the error to raise, with what is known of it."""
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
    """An exchange as the server sees it.

    As long as `request` is not None, do what it says and pass the result to `answer`; then
    `identity` tells who the client is.  Whatever raises ends the exchange without one.

    Arguments:
        mechanism: the one the client chose, out of those that were offered.
        context: of this session, with what was offered.
        initial: the initial response, None if there was none.

    Attributes:
        request: a `Challenge` for the client, a `Question` to the credential store, or None.
        identity: who the client is; None before the exchange is complete.

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
        """Go on with the client's response to a `Challenge`, or the store's answer to a `Question`.

        Raises:
            SASLError: the response is malformed.
            SASLRefused: the credentials do not admit the client.
            TypeError: the store's answer is not of the kind that the question asks for.
            ValueError: so it is not what the question or the context promises; like the one above
                this is a mistake on this side, which a server answers with 454 4.7.0.
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
