"""Lockstep: client and server agree, whatever they say; and a disagreement is found."""

from __future__ import annotations

from hypothesis import settings

from smtpproto import Protocol
from smtpproto.extensions import Auth
from smtpproto.testing import strategies as smtp
from smtpproto.testing.machine import Lockstep


class Lmtp(Lockstep):
    protocol = Protocol.LMTP


class Bare(Lockstep):
    extensions = ()


class WithAuth(Lockstep):
    extensions = (*smtp.offers(), Auth(("PLAIN",), allow_plaintext=("PLAIN",)))


for machine in (Lockstep, Lmtp, Bare, WithAuth):
    machine.TestCase.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)

TestLockstep = Lockstep.TestCase
TestLmtp = Lmtp.TestCase
TestBare = Bare.TestCase
TestWithAuth = WithAuth.TestCase
