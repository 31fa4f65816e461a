"""OAUTHBEARER (RFC 7628): an OAuth 2.0 bearer token."""

from __future__ import annotations

from ..grammar.lazy_pattern import lazy_pattern
from .bearer_token import Bearer, acting
from .credentials import TOKEN, Context, Credentials
from .errors import SASLError, SASLRefused
from .mechanism import ClientHalf, ServerHalf
from .message_text import decode, quote, unquote
from .questions import Challenge, TokenRefused

__all__ = ["OAuthBearer"]

# client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
# kvpair      = key "=" value kvsep
# key         = 1*(ALPHA)
# value       = *(VCHAR / SP / HTAB / CR / LF )      (RFC 7628 section 3.1)
RESPONSE = lazy_pattern(
    "([ny]|p=[^,\x01]*),(?:a=([^,\x01]*))?,\x01((?:[A-Za-z]+=[!-~ \t\r\n]*\x01)*)\x01"
)
AUTH = lazy_pattern(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([!-~]+)")


class OAuthBearer(Bearer):
    """OAUTHBEARER: a GS2 header, and pairs of key and value (RFC 7628 section 3.1)."""

    __slots__ = ()
    name = "OAUTHBEARER"
    strength = 55
    dummy = b"\x01"

    def client(self, credentials: Credentials, context: Context) -> ClientHalf:
        name = acting(credentials)
        header = f"n,a={quote(name)}," if name else "n,,"
        pairs = {
            "host": context.host,
            "port": str(context.port or ""),
            "auth": f"Bearer {credentials.token}",
        }
        written = "".join(f"{key}={value}\x01" for key, value in pairs.items() if value)
        yield from self.present(f"{header}\x01{written}\x01".encode(), credentials)

    def server(self, context: Context) -> ServerHalf:
        message = decode((yield Challenge(b"")), "OAUTHBEARER message", TOKEN + 4096)
        matched = RESPONSE.fullmatch(message)
        if matched is None:
            raise SASLError(
                "OAUTHBEARER: expected a GS2 header and pairs of key and value, found another"
                " message (RFC 7628 section 3.1)"
            )
        flag, name, written = matched.groups()
        if flag.startswith("p"):
            raise SASLRefused("OAUTHBEARER has no channel binding (RFC 7628 section 3.1)")
        pairs: dict[str, str] = {}
        for pair in written.split("\x01")[:-1]:
            key, _, value = pair.partition("=")
            if key in pairs:
                raise SASLError("OAUTHBEARER: a key stands twice (RFC 7628 section 3.1)")
            pairs[key] = value
        username = unquote(name) if name is not None else ""
        check_addressed(pairs, context)
        return (yield from self.verify(username, token_of(pairs)))

    def explain(self, refused: TokenRefused) -> dict[str, str]:
        return {
            "status": refused.status,
            "scope": refused.scope,
            "openid-configuration": refused.configuration,
        }


def check_addressed(pairs: dict[str, str], context: Context) -> None:
    """Check that the client meant this host and port, as far as known (RFC 7628 section 3.2).

    Raises:
        SASLRefused: the client meant another server.
    """
    known = {name.lower() for name in context.aliases}
    elsewhere = known and "host" in pairs and pairs["host"].lower() not in known
    if elsewhere or (context.port and pairs.get("port", str(context.port)) != str(context.port)):
        raise SASLRefused("the client meant another host or port (RFC 7628 section 3.2)")


def token_of(pairs: dict[str, str]) -> str:
    """Return the bearer token; "" if there is none.

    Raises:
        SASLError: `auth` is missing, or holds something else (RFC 7628 section 3.1).
    """
    auth = pairs.get("auth")
    if auth == "":
        return ""
    matched = AUTH.fullmatch(auth or "")
    if matched is None:
        raise SASLError("OAUTHBEARER: expected auth=Bearer and a token (RFC 6750 section 2.1)")
    return matched[1]
