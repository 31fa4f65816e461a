"""8BITMIME: octets above 127 in the content, RFC 6152."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import LocalProtocolError
from ..vocabulary.commands import Mail
from ..vocabulary.parameters import Parameter
from .extension import Extension

__all__ = ["Body", "EightBitMime", "is_binary"]


@dataclass(frozen=True, slots=True)
class Body(Parameter):
    """The kind of content (RFC 6152 section 2; BINARYMIME: RFC 3030 section 3).

    Arguments:
        kind: "7BIT", "8BITMIME" or "BINARYMIME".
    """

    keyword = "BODY"
    kind: str

    def __post_init__(self) -> None:
        if self.kind not in ("7BIT", "8BITMIME", "BINARYMIME"):
            raise LocalProtocolError(
                f"BODY: expected 7BIT, 8BITMIME or BINARYMIME, found {self.kind[:64]!a} "
                "(RFC 6152 section 2)"
            )

    def value(self) -> str:
        return self.kind

    @classmethod
    def parse(cls, value: str | None) -> Body:
        value = value or ""
        # `upper` maps some other characters to ASCII, such as the dotless i.
        return cls(value.upper() if value.isascii() else value)


class EightBitMime(Extension):
    """Content with octets above 127 (RFC 6152)."""

    __slots__ = ()
    keyword = "8BITMIME"
    parameters = {Mail: (Body,)}
    extra_length = {Mail: 17}

    def covers(self, parameter: Parameter) -> bool:
        """Return whether it covers a kind: all but BINARYMIME, which another extension adds."""
        return not isinstance(parameter, Body) or parameter.kind != "BINARYMIME"


def is_binary(mail: Mail) -> bool:
    """Return whether the content may be any octets, so that CR and LF are no line endings."""
    body = mail.get(Body)
    return body is not None and body.kind == "BINARYMIME"
