"""The rules for faults: which of them applies, and how often."""

from __future__ import annotations

import math
from typing import get_args

import pytest

from smtpproto import LocalProtocolError, Reply
from smtpproto.testing.faults import Drop, FaultRules, Faults, Step, Verdict

NO_MAILBOX = Reply(550, "5.1.1", "no such mailbox")


@pytest.fixture
def rules() -> FaultRules:
    return FaultRules()


@pytest.fixture
def faults(rules: FaultRules) -> Faults:
    return Faults(rules)


def test_without_rules_nothing_is_wrong(rules: FaultRules) -> None:
    assert all(rules.at(step, "any") == Verdict() for step in get_args(Step))
    assert rules.tls_fault() is None
    assert not rules.during_content("any")


def test_a_pattern_is_compared_without_regard_to_case(rules: FaultRules, faults: Faults) -> None:
    fault = faults.reject("rcpt", "Bob@*", 550, "5.1.1", "no such mailbox")
    assert rules.at("rcpt", "bob@MX.example").action == NO_MAILBOX
    assert rules.at("rcpt", "eve@mx.example").action is None
    assert rules.at("mail", "bob@mx.example").action is None
    assert fault.happened == 1


def test_one_of_several_subjects_has_to_match(rules: FaultRules, faults: Faults) -> None:
    faults.reject("data", "bob@*")
    assert rules.at("data", "eve@mx.example", "bob@mx.example").action is not None
    assert rules.at("data", "eve@mx.example").action is None


def test_a_rule_applies_so_many_times(rules: FaultRules, faults: Faults) -> None:
    fault = faults.reject("mail", times=2)
    assert [rules.at("mail", "a").action is None for _ in range(3)] == [False, False, True]
    assert fault.happened == 2


def test_the_first_rule_decides_and_delays_add_up(rules: FaultRules, faults: Faults) -> None:
    faults.delay("mail", 1)
    faults.delay("mail", 2, times=1)
    faults.drop("mail")
    last = faults.reject("mail")
    assert rules.at("mail", "a") == Verdict(3, Drop())
    assert rules.at("mail", "a") == Verdict(1, Drop())
    assert last.happened == 0


def test_a_greylist_counts_for_each_party(rules: FaultRules, faults: Faults) -> None:
    faults.greylist("bob@*")
    first, second = ("192.0.2.1", "a", "bob@mx"), ("192.0.2.1", "b", "bob@mx")
    answers = [rules.at("rcpt", "bob@mx", party=each).action for each in (first, second, first)]
    assert [isinstance(answer, Reply) and answer.code for answer in answers] == [451, 451, False]
    assert rules.at("rcpt", "eve@mx", party=("192.0.2.1", "a", "eve@mx")).action is None


def test_content_breaks_before_or_after_it_is_complete(rules: FaultRules, faults: Faults) -> None:
    faults.drop("content", times=1)
    assert rules.at("content", "bob@mx").action is None
    assert rules.during_content("bob@mx")
    faults.drop("after content")
    assert rules.at("content", "bob@mx").action == Drop()
    assert not rules.during_content("bob@mx")


def test_421_closes(rules: FaultRules, faults: Faults) -> None:
    faults.say_421_at("mail")
    action = rules.at("mail", "a").action
    assert isinstance(action, Reply)
    assert action.code == 421


def test_tls_faults_apply_in_their_order(rules: FaultRules, faults: Faults) -> None:
    faults.fail_tls("expired", times=1)
    faults.fail_tls("untrusted", times=1)
    assert [rules.tls_fault() for _ in range(3)] == ["expired", "untrusted", None]


def test_faults_can_be_forgotten(rules: FaultRules, faults: Faults) -> None:
    faults.reject("mail")
    faults.forget_faults()
    assert rules.at("mail", "a") == Verdict()


def test_mistakes_are_found_when_the_rule_is_made(rules: FaultRules, faults: Faults) -> None:
    with pytest.raises(ValueError, match=r"step: expected one of connect, .*; found 'RCPT'"):
        faults.reject("RCPT")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"quit, after content; found 'after data'"):
        faults.drop("after data")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="code: expected 400 or more, found 250"):
        faults.reject("mail", code=250)
    with pytest.raises(LocalProtocolError, match="no enhanced status code for 550"):
        faults.reject("mail", "*", 550, "4.1.1")
    with pytest.raises(ValueError, match="times: expected 1 or more"):
        faults.reject("mail", times=0)
    with pytest.raises(ValueError, match="seconds: expected 0 or more, found -1"):
        faults.delay("mail", -1)
    with pytest.raises(ValueError, match="seconds: expected 0 or more, found nan"):
        faults.delay("mail", math.nan)
    with pytest.raises(ValueError, match=r"how: expected one of handshake, .*; found 'late'"):
        faults.fail_tls("late")  # type: ignore[arg-type]
    assert rules.at("mail", "a") == Verdict()
