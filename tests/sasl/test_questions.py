"""What a server's half asks of the credential store."""

from __future__ import annotations

import pytest

from smtpproto.sasl import (
    AdmitAnonymous,
    Authorize,
    CheckPassword,
    CheckToken,
    CredentialStore,
    FetchSecret,
    Question,
    decided,
)


class Store:
    def check_password(self, username: str, password: str) -> bool:
        return (username, password) == ("tim", "tanstaaftanstaaf")


class Inheriting(CredentialStore):
    def check_password(self, username: str, password: str) -> bool:
        return True


QUESTIONS: list[tuple[Question, tuple[str, ...]]] = [
    (CheckPassword("u", "p"), ("u", "p")),
    (FetchSecret("CRAM-MD5", "u"), ("CRAM-MD5", "u")),
    (CheckToken("u", "t"), ("u", "t")),
    (Authorize("a", "b"), ("a", "b")),
    (AdmitAnonymous("trace"), ("trace",)),
]


@pytest.mark.parametrize("question, arguments", QUESTIONS)
def test_a_question_names_a_method_of_the_store(
    question: Question, arguments: tuple[str, ...]
) -> None:
    assert question.arguments() == arguments
    assert callable(getattr(CredentialStore, question.method))
    assert question.asked_of(object()) is None


@pytest.mark.parametrize("kind", [Store, Inheriting])
def test_methods_that_the_user_wrote_are_found(kind: type) -> None:
    store = kind()
    assert CheckPassword.asked_of(store) == store.check_password
    assert FetchSecret.asked_of(store) is None


def test_a_question_of_ones_own() -> None:
    class Mine(Question):
        method = "mine"

    assert Mine.asked_of(object()) is None
    assert Mine().arguments() == ()


@pytest.mark.parametrize("answer, meaning", [(True, True), (False, False), (None, False)])
def test_yes_and_no(answer: object, meaning: object) -> None:
    assert decided(Authorize("a", "b"), answer) is meaning


async def forgotten() -> bool:
    return False


@pytest.mark.parametrize("answer", ["yes", 1, 0, "", object()])
def test_what_only_looks_like_an_answer(answer: object) -> None:
    with pytest.raises(TypeError, match="authorize: expected True or False from the store, found"):
        decided(Authorize("a", "b"), answer)


def test_a_coroutine_is_no_answer() -> None:
    answer = forgotten()
    with pytest.raises(TypeError, match="found coroutine"):
        decided(Authorize("a", "b"), answer)
    answer.close()
