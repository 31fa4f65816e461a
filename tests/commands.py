"""Commands that many tests send."""

from __future__ import annotations

from smtpproto import Domain, ForwardPath, Mail, Parameter, Rcpt, ReversePath
from smtpproto.vocabulary.parameters import parse_parameters

CLIENT = Domain("client.example")


def mail(*parameters: Parameter) -> Mail:
    return Mail(ReversePath.of("a@client.example"), parameters)


def rcpt(*parameters: Parameter) -> Rcpt:
    return Rcpt(ForwardPath.of("b@mx.example"), parameters)


def read_again(parameter: Parameter) -> Parameter:
    """What a server makes of a parameter as it is written."""
    (found,) = parse_parameters(str(parameter), {parameter.keyword: type(parameter)})
    return found
