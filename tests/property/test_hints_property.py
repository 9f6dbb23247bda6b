"""What is looked for first, for speed, never hides what a full reading finds."""

from __future__ import annotations

import base64
import re
import string
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opinion_cases import HOSTILE
from pipeline.audit.hints import EVERY_HINT, TAKEN_FOR_ASCII, Hints, hint, hints_in
from pipeline.audit.injection import _read_through, find_injections, may_address
from pipeline.audit.injection_orders import ORDER_PATTERNS, suspect
from pipeline.rules.secrets_text import in_value, may_be_formed, may_form

WORDS = string.ascii_lowercase + string.digits + " "


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in ORDER_PATTERNS])
def test_no_order_goes_by_unsuspected(pattern: str) -> None:
    spaced = re.sub(r"\(\?!.*?\)", "", re.sub(r"\\b ?", " ", pattern))  # a text of this form, as a rule, is an order
    orders = 0

    @given(st.from_regex(re.compile(spaced, re.ASCII), fullmatch=True, alphabet=WORDS))
    @settings(max_examples=30)
    def suspected(text: str) -> None:
        nonlocal orders
        if re.search(pattern, text):
            orders += 1
            assert suspect(text.encode()).order

    suspected()
    assert orders


def _upper(text: str, _random: Random) -> str:
    return text.upper()


def _leet(text: str, random: Random) -> str:
    digits = str.maketrans("oieas", random.choice(("01345", "013@$")))
    return "".join(char.translate(digits) if random.random() < 0.4 else char for char in text)


def _parted(text: str, random: Random) -> str:
    return re.sub(" ", lambda _: random.choice((" ", "\n", "\n# ", "_", " - ", "\t", ".", "\u2014", "\r\n")), text)


def _spelt(text: str, random: Random) -> str:
    words = text.split(" ")
    at = random.randrange(len(words))
    words[at] = random.choice((" ", "-", ". ")).join(words[at])
    return " ".join(words)


def _accented(text: str, _random: Random) -> str:
    return text.replace("a", "á").replace("o", "\u043e").replace("e", "e\u0301").replace("i", "i\u200b")


def _encoded(text: str, _random: Random) -> str:
    return base64.b64encode(text.encode()).decode()


def _hexadecimal(text: str, _random: Random) -> str:
    return text.encode().hex()


Disguise = Callable[[str, Random], str]
DISGUISES: tuple[Disguise, ...] = (_upper, _leet, _parted, _spelt, _accented, _encoded, _hexadecimal)


@given(st.sampled_from(HOSTILE), st.lists(st.sampled_from(DISGUISES), max_size=3), st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_what_reading_finds_is_read(case: tuple[str, str], disguises: list[Disguise], random: Random) -> None:
    text = f"kind: ConfigMap\nv1b: {case[1]}\nb: 1\n"
    for disguise in disguises:
        text = disguise(text, random)
    if list(_read_through(text)):
        assert may_address(text.encode())


@given(st.text(max_size=80))
@settings(max_examples=50)
def test_any_text_is_read_where_reading_finds(text: str) -> None:
    assert list(find_injections(text)) == list(_read_through(text))


def test_look_alikes_that_a_pattern_takes_for_ascii_count_as_everything() -> None:
    for letter in map(chr, range(128, 0x3000)):
        if re.fullmatch("[a-z]", letter, re.IGNORECASE):
            assert hints_in(f"a{letter}b".encode()) == EVERY_HINT
        assert may_address(letter.encode()) or letter not in TAKEN_FOR_ASCII


@given(st.text(string.ascii_letters + string.digits + "-_ :/@.=\"'\n", max_size=120), st.data())
def test_a_word_is_seen_in_any_case_and_anywhere(text: str, data: st.DataObject) -> None:
    words = Hints(bytes(range(256)))
    bits = [words.hint("ab", "://"), words.hint("c")]
    assert words.held_by(text.encode()) == sum(
        bit for bit, held in zip(bits, ("ab" in text or "://" in text, "c" in text), strict=True) if held
    )
    word = data.draw(st.sampled_from(("Zebra", "zEBRA")))
    bit = hint("zebra")
    assert hints_in(f"{text}{word}{text}".encode()) & bit
    assert not hints_in(text.replace("z", "").replace("Z", "").encode()) & bit


TOKENS = (
    "AKIAABCDEFGHIJKLMNOP",
    "ghp_" + "a1" * 18,
    "Authorization: Basic abcdefghijk=",
    "bearer abcdefgh12345678",
    "postgres://u:s3nha@h/db",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
    "sk-" + "a" * 24,
    "hvs." + "B" * 24,
)


@given(st.sampled_from(TOKENS), st.text(max_size=40), st.text(max_size=40))
def test_a_secret_that_shows_by_its_form_has_hints(token: str, before: str, after: str) -> None:
    text = f"{before} {token} {after}"
    if in_value(text) is not None:
        assert may_be_formed(text)
    if may_be_formed(text):
        assert may_form(hints_in(text.encode("utf-8", "surrogatepass")))
