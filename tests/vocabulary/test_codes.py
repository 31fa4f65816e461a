from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtpproto.vocabulary.codes import MEANINGS, Explanation, default_enhanced, explain

# RFC 5321 sections 4.2.2 and 4.2.3, RFC 4954, RFC 7504, RFC 1985, RFC 5248 section 3.
REPLY_CODES = (
    *(211, 214, 220, 221, 250, 251, 252, 354),
    *(421, 450, 451, 452, 455, 500, 501, 502, 503, 504, 550, 551, 552, 553, 554, 555),
    *(235, 334, 432, 454, 530, 534, 535, 538),
    *(521, 556),
    *(253, 458, 459),
    *(422, 523, 524, 525),
)

# RFC 3463 section 3 and what the registry of RFC 5248 got since: the last detail of each subject.
LAST_DETAIL = {0: 0, 1: 10, 2: 4, 3: 6, 4: 7, 5: 6, 6: 10, 7: 30}
DETAILS = [
    f"{subject}.{detail}" for subject, last in LAST_DETAIL.items() for detail in range(last + 1)
]
# Those that RFC 3463 sections 3.2 and 3.7, RFC 3886 section 8 and RFC 6710 give to success.
GOOD_NEWS = {"1.5", "1.9", "3.6"}

VERBS = (
    *("", "greeting", "EHLO", "MAIL", "RCPT", "DATA", "BDAT", "content", "RSET", "NOOP", "QUIT"),
    *("VRFY", "EXPN", "HELP", "AUTH", "STARTTLS", "ETRN", "XYZZY"),
)


def said(explanation: Explanation) -> str:
    return " ".join((explanation.meaning, *explanation.check))


# --- The table ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", REPLY_CODES)
def test_every_reply_code_has_an_entry(code: int) -> None:
    assert str(code) in MEANINGS
    assert explain(code).meaning == MEANINGS[str(code)][0]


def test_no_reply_code_is_invented() -> None:
    found = {int(key) for key in MEANINGS if re.fullmatch(r"[0-9]{3}", key)}
    assert found == set(REPLY_CODES)


@pytest.mark.parametrize("detail", DETAILS)
def test_every_enhanced_status_code_has_an_entry(detail: str) -> None:
    kind = "2" if detail in GOOD_NEWS else "5"
    entry = MEANINGS.get(f"x.{detail}") or MEANINGS[f"2.{detail}"]
    assert entry[0] in said(explain(0, f"{kind}.{detail}"))
    assert "no registry" not in explain(550, f"5.{detail}").meaning


def test_no_enhanced_status_code_is_invented() -> None:
    found = {
        match[1]
        for key in MEANINGS
        if (match := re.search(r"[x245]\.([0-9]+\.[0-9]+)(?: |$)", key)) is not None
    }
    assert found == set(DETAILS)


@pytest.mark.parametrize("key", MEANINGS)
def test_keys_are_of_the_shapes_that_are_looked_up(key: str) -> None:
    place = r"(?: (?:greeting|content|EHLO|MAIL|RCPT|VRFY|ETRN|AUTH|STARTTLS))?"
    shapes = (
        *(rf"[2-5][0-9][0-9]{place}", r"([245])[0-9][0-9] \1\.[0-9]+\.[0-9]+", r"[2-5]xx"),
        *(rf"[245]\.[0-9]+\.[0-9]+{place}", r"x\.[0-7]\.[0-9]+"),
    )
    assert any(re.fullmatch(shape, key) for shape in shapes)


@pytest.mark.parametrize("key", MEANINGS)
def test_texts_are_sentences(key: str) -> None:
    assert MEANINGS[key]
    for text in MEANINGS[key]:
        assert text == " ".join(text.split())
        assert text.isascii()
        assert text[0].isupper() or text[0] in "'%" or text.startswith("x.")
        assert text.endswith((".", "?"))
    assert len(set(MEANINGS[key])) == len(MEANINGS[key])


@pytest.mark.parametrize("key", [key for key in MEANINGS if key[0] in "45x"])
def test_a_refusal_says_what_to_do(key: str) -> None:
    if key != "x.0.0":
        assert len(MEANINGS[key]) >= 2


@pytest.mark.parametrize("code", [250, 421, 450, 501, 550, 553])
def test_the_commonest_codes_say_much(code: int) -> None:
    assert len(explain(code).check) >= 3
    if code >= 400 and code != 501:
        assert any(text.startswith("Operator: ") for text in explain(code).check)


# --- explain -----------------------------------------------------------------------------------

SAYS = [
    # code, enhanced, verb, and what has to occur in the explanation
    (250, "", "HELO", "service extensions"),
    (250, "2.1.5", "RCPT", "valid"),
    (250, "2.0.0", "DATA", "responsibility"),
    (250, "2.6.4", "BDAT", "something was lost"),
    (252, "", "ETRN", "begun to send"),
    (421, "", "greeting", "reverse DNS"),
    (421, "4.7.0", "RCPT", "reputation"),
    (450, "4.2.0", "RCPT", "reylisting"),
    (450, "4.2.2", "RCPT", "full"),
    (451, "4.3.0", "content", "the client did nothing wrong"),
    (454, "4.7.0", "AUTH", "not found wrong"),
    (501, "5.5.2", "AUTH", "ase64"),
    (550, "5.7.1", "RCPT", "'Relay'"),
    (550, "5.7.1", "content", "DKIM"),
    (550, "5.7.26", "content", "The server refuses this message. "),
    (550, "", "EXPN", "mailbox or list"),
    (553, "5.7.1", "MAIL", "own address"),
    (502, "5.5.2", "", "cannot be read as a command"),
    (502, "5.5.1", "VRFY", "does not carry it out"),
    (0, "5.5.1", "", "The order is"),
    (554, "", "greeting", "no mail service"),
    (556, "5.1.10", "RCPT", "null MX"),
]


@pytest.mark.parametrize("code, enhanced, verb, words", SAYS)
def test_says(code: int, enhanced: str, verb: str, words: str) -> None:
    assert words in said(explain(code, enhanced, verb))


@pytest.mark.parametrize("verb", ["rcpt", "Rcpt", "RCPT"])
def test_a_verb_in_any_case(verb: str) -> None:
    assert explain(550, "", verb) == explain(550, "", "RCPT") != explain(550)


def test_a_verb_without_an_entry_of_its_own() -> None:
    assert explain(550, "5.1.1", "XYZZY") == explain(550, "5.1.1")


@pytest.mark.parametrize(
    "code, kind, about",
    [
        *((299, "2xx", ""), (399, "3xx", ""), (499, "4xx", ""), (571, "5xx", "")),
        *((508, "5xx", "syntax"), (415, "4xx", "information"), (529, "5xx", "the connection")),
        *((559, "5xx", "the mail system"), (243, "2xx", "")),
    ],
)
def test_an_unknown_reply_code_is_explained_by_its_digits(code: int, kind: str, about: str) -> None:
    """RFC 5321 section 4.2.1."""
    explanation = explain(code)
    assert explanation.meaning.startswith(MEANINGS[kind][0])
    assert f"{code} is in no registry: its first digit says what to do" in explanation.meaning
    assert ("the second says that it is about" in explanation.meaning) == bool(about)
    assert explanation.meaning.endswith(f"about {about}." if about else "what to do.")
    assert explanation.check == MEANINGS[kind][1:]
    assert explanation.retry == (kind == "4xx")


@pytest.mark.parametrize("code", [0, 1, 199, 600, 999, -550])
def test_no_reply_code(code: int) -> None:
    explanation = explain(code)
    assert "no reply code of SMTP" in explanation.meaning
    assert str(explanation).startswith(f"{code}: unknown")
    assert not explanation.retry


def test_an_unknown_detail_is_explained_by_its_subject() -> None:
    explanation = explain(550, "5.2.99", "RCPT")
    assert explanation.meaning.startswith(MEANINGS["550 RCPT"][0])
    assert MEANINGS["x.2.0"][0] in explanation.meaning
    assert "5.2.99 itself is in no registry" in explanation.meaning
    assert explanation.check == MEANINGS["550 RCPT"][1:]


def test_an_unknown_subject_and_reply_code_are_explained_by_the_class() -> None:
    explanation = explain(559, "5.9.9")
    assert "5.9.9 itself is in no registry" in explanation.meaning
    assert explanation.check == MEANINGS["5xx"][1:]


def test_the_general_enhanced_code_of_a_reply_code_adds_nothing() -> None:
    assert explain(530, "5.7.0").meaning == explain(530).meaning
    assert explain(550, "5.0.0", "RCPT").meaning == explain(550, "", "RCPT").meaning


def test_another_subject_without_detail_is_added() -> None:
    explanation = explain(550, "5.2.0", "RCPT")
    assert explanation.meaning == f"{MEANINGS['550 RCPT'][0]} {MEANINGS['x.2.0'][0]}"


def test_only_an_enhanced_status_code() -> None:
    explanation = explain(0, "5.7.23")
    assert (explanation.code, explanation.enhanced) == (0, "5.7.23")
    assert str(explanation).startswith("5.7.23: refused")
    assert explain(0, "5.7.0").check == (*MEANINGS["x.7.0"][1:], *MEANINGS["5xx"][1:])
    assert explain(0, "4.3.1").retry
    assert not explain(0, "5.3.1").retry


@pytest.mark.parametrize(
    "code, enhanced", [(550, "4.1.1"), (250, "5.1.1"), (354, "2.0.0"), (421, "5.0.0")]
)
def test_the_reply_code_counts_where_the_classes_differ(code: int, enhanced: str) -> None:
    explanation = explain(code, enhanced)
    assert explanation.meaning.startswith(explain(code).meaning)
    assert f"does not go with {code}" in explanation.meaning
    assert explanation.check == explain(code).check
    assert explanation.retry == explain(code).retry


@pytest.mark.parametrize("enhanced", ["", "5", "5.1", "3.0.0", "5.1.1 ", "5.1.1000", "٥.1.1", "no"])
def test_what_is_no_enhanced_status_code_is_left_out(enhanced: str) -> None:
    assert explain(550, enhanced) == explain(550)


@pytest.mark.parametrize(
    "code, enhanced, verb, retry",
    [
        (250, "", "", False),
        (354, "", "", False),
        (450, "", "", True),
        (499, "4.9.9", "", True),
        (550, "5.1.1", "RCPT", False),
        # RFC 4954 section 6: the user has to act.
        (432, "4.7.12", "AUTH", False),
        (422, "", "", False),
        (459, "", "ETRN", False),
        # RFC 5321 section 4.5.3.1.10: too many recipients.
        (552, "", "RCPT", True),
        (552, "5.5.3", "RCPT", True),
        (552, "5.2.2", "RCPT", False),
        (552, "", "content", False),
    ],
)
def test_whether_trying_again_can_help(code: int, enhanced: str, verb: str, retry: bool) -> None:
    assert explain(code, enhanced, verb).retry is retry


# --- How it is printed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code, verb, title",
    [
        (250, "", "250: done"),
        (354, "", "354: go on"),
        (450, "", "450: not now; trying again later can help"),
        (432, "", "432: not now, and trying the same again does not help"),
        (550, "", "550: refused; trying the same again does not help"),
        (552, "RCPT", "552: refused, but trying in another way can help"),
    ],
)
def test_title(code: int, verb: str, title: str) -> None:
    assert explain(code, "", verb).title == title


def test_printed() -> None:
    assert str(
        Explanation(550, "5.1.1", "No such mailbox.", ("word " * 16 + "end.", "b."), False)
    ) == (
        "550 5.1.1: refused; trying the same again does not help\n"
        "  No such mailbox.\n"
        "  - word word word word word word word word word word word word word word word\n"
        "    word end.\n"
        "  - b."
    )


# --- default_enhanced --------------------------------------------------------------------------

DEFAULTS = [
    (220, "STARTTLS", "2.0.0"),
    (250, "", "2.0.0"),
    (250, "mail", "2.1.0"),
    (250, "RCPT", "2.1.5"),
    (299, "RCPT", "2.0.0"),
    (334, "AUTH", ""),
    (421, "", "4.3.2"),
    (451, "content", "4.3.0"),
    (452, "RCPT", "4.5.3"),
    (499, "MAIL", "4.0.0"),
    (501, "MAIL", "5.5.4"),
    (501, "AUTH", "5.5.2"),
    (550, "", "5.0.0"),
    (550, "BDAT", "5.7.1"),
    (550, "EXPN", "5.1.1"),
    (552, "content", "5.3.4"),
    (552, "RCPT", "5.2.2"),
    (556, "RCPT", "5.1.10"),
    (199, "", ""),
    (600, "", ""),
]


@pytest.mark.parametrize("code, verb, enhanced", DEFAULTS)
def test_default_enhanced(code: int, verb: str, enhanced: str) -> None:
    assert default_enhanced(code, verb) == enhanced


@given(st.integers(200, 599), st.sampled_from(VERBS))
def test_a_default_is_a_registered_code_of_the_same_class(code: int, verb: str) -> None:
    default = default_enhanced(code, verb)
    if code // 100 == 3:
        assert default == ""
    else:
        kind, _, detail = default.partition(".")
        assert kind == str(code // 100)
        assert detail in DETAILS


# --- For all inputs ----------------------------------------------------------------------------

anything = st.one_of(
    st.text(max_size=12),
    st.builds("{}.{}.{}".format, st.integers(0, 9), st.integers(0, 1200), st.integers(0, 1200)),
    st.sampled_from(DETAILS).flatmap(
        lambda detail: st.sampled_from([f"{k}.{detail}" for k in "245"])
    ),
)


@given(
    st.one_of(st.integers(), st.integers(200, 599)), anything, st.sampled_from(VERBS) | st.text()
)
def test_never_an_error(code: int, enhanced: str, verb: str) -> None:
    explanation = explain(code, enhanced, verb)
    assert explanation.code == code
    assert explanation.enhanced in {"", enhanced}
    for text in (explanation.meaning, *explanation.check):
        assert text[-1] in ".?"
    if 200 <= code <= 599:
        lines = str(explanation).split("\n")
        assert lines[0].startswith(str(code))
        assert len(lines) >= 2
        assert max(map(len, lines)) <= 100


def test_what_contradicts_itself() -> None:
    said = explain(550, "4.1.1").meaning
    assert said.endswith("class 4 does not go with 550 (RFC 2034 section 4).")


def test_a_code_is_a_number() -> None:
    with pytest.raises(TypeError, match="code: expected int, found str"):
        explain("abc")  # type: ignore[arg-type]


@pytest.mark.parametrize("verb", VERBS)
def test_every_code_to_every_verb_is_explained_in_its_class(verb: str) -> None:
    for code in range(200, 600):
        explanation = explain(code, default_enhanced(code, verb), verb)
        assert explanation.meaning
        assert "contradicts" not in explanation.meaning
        assert explanation.check or code < 400


@pytest.mark.parametrize(
    "verb, same",
    [
        *((verb, "EHLO") for verb in ("HELO", "LHLO", "ehlo")),
        *((verb, "content") for verb in ("DATA", "BDAT", "BURL", "CONTENT")),
        *(("EXPN", "VRFY"), ("GREETING", "greeting")),
    ],
)
def test_verbs_that_are_explained_alike(verb: str, same: str) -> None:
    for number in range(200, 600):
        assert explain(number, "", verb) == explain(number, "", same)
        assert default_enhanced(number, verb) == default_enhanced(number, same)


@pytest.mark.parametrize(
    "verb, about",
    [
        ("greeting", "this connection"),
        ("EHLO", "this client"),
        ("MAIL", "this sender"),
        ("RCPT", "this recipient"),
        ("DATA", "this message"),
    ],
)
def test_what_an_explanation_is_about(verb: str, about: str) -> None:
    assert f"refuses {about}." in explain(550, "5.7.27", verb).meaning
    assert f"defers {about}." in explain(450, "4.7.27", verb).meaning
