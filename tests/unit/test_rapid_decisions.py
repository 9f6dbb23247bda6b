# ruff: noqa: E501  # a table of one line per way to be wrong
"""Decisions: the right ones count, and each wrong one is refused for its own reason with both values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evidencekit import DAVI_SECOND, DAY, NOW, STRANGER, Desk, manifest, statement_of, trust
from pipeline.domain.evidence import Board, RiskException
from pipeline.evidence.envelope import dump_line
from pipeline.evidence.rapid import nonces_of, split_lines, stamp

Wrong = tuple[str, Callable[[Desk], Any], dict[str, Any], str, tuple[str, ...]]


def test_everybody_in_order_releases() -> None:
    board = Desk().approve().hear(strict=True)
    assert (board.released, board.verified, board.refused, board.missing) == (True, True, (), ())
    assert [each.name for each in board.accepted] == ["Ana Souza", "Bruno Souza", "Carla Souza", "Davi Souza"]


def test_who_performs_may_have_recommended_and_comes_last() -> None:
    desk = Desk().approve()
    desk.say("perform")
    board = desk.hear()
    assert [each.decision.role for each in board.accepted][-1] == "perform"
    assert board.released


def test_nobody_has_spoken() -> None:
    board = Desk().hear()
    assert [(each.role, each.needed, each.people) for each in board.missing] == [
        ("recommend", 1, ("ana",)), ("input", 1, ("bruno",)), ("agree", 1, ("carla",)), ("decide", 1, ("davi", "elisa")),
    ]  # fmt: skip
    assert not board.released


def test_a_threshold_counts_people() -> None:
    desk = Desk().approve()
    assert [each.people for each in desk.hear(trust=trust(threshold=2)).missing] == [("elisa",)]
    desk.say("decide", person="elisa")
    assert desk.hear(trust=trust(threshold=2)).released


@pytest.mark.parametrize("role", ["agree", "decide"])
def test_a_no_of_security_or_of_the_board_stops(role: str) -> None:
    desk = Desk().approve(until="input")
    desk.say(role, decision="bloquear")
    board = desk.hear()
    assert [each.decision.role for each in board.vetoes] == [role]
    assert not board.released


def test_a_no_counts_after_a_yes_of_the_same_person() -> None:
    desk = Desk().approve()
    desk.say("decide", decision="bloquear")
    board = desk.hear()
    assert not board.refused
    assert not board.released


def test_conditions_and_exceptions_are_kept() -> None:
    desk = Desk().approve(until="agree")
    risk = RiskException(item="M07-NC-004", owner="Ana", residual_risk="baixo", until="2026-12-31")
    desk.say("decide", decision="liberar_com_condicoes", conditions=("testar",), exceptions=(risk,))
    board = desk.hear()
    assert board.released
    assert board.accepted[-1].decision.exceptions == (risk,)


def test_a_key_that_was_revoked_later_still_counts_for_what_it_signed_before() -> None:
    later = f"revoked_at = {stamp(NOW)}"
    assert Desk().approve().hear(trust=trust(extra={"davi": later})).released


def test_without_trust_nothing_is_verified_and_strict_lets_nothing_pass() -> None:
    board = Desk().approve().hear(trust=None)
    assert (board.released, board.verified) == (True, False)
    strict = Desk().approve().hear(trust=None, strict=True)
    assert {each.code for each in strict.refused} == {"unsigned"}


def test_declared_decisions_release_only_where_nobody_can_check() -> None:
    desk = Desk()
    for role in ("recommend", "input", "agree", "decide"):
        desk.say(role, signed=False)
    lax = desk.hear(trust=None)
    assert (lax.released, lax.verified) == (True, False)
    for changes in ({"trust": None, "strict": True}, {}, {"strict": True}):
        board = desk.hear(**changes)
        assert [each.code for each in board.refused] == ["unsigned"] * 4
        assert "declarada, não verificada" in board.refused[0].message
        assert not board.released


def _exception(**changes: str) -> tuple[RiskException, ...]:
    values = {"item": "M07-NC-004", "owner": "Ana", "residual_risk": "baixo", "until": "2026-12-31"}
    return (RiskException(**{**values, **changes}),)


def _tampered(desk: Desk, **changes: Any) -> None:
    """A decision whose statement says something else than its envelope's predicate, or is no decision at all."""
    decision = desk.say("decide")
    desk.data = b"".join(split_lines(desk.data)[:-1])
    desk.add({**statement_of(decision), **changes}, 4)


def _predicate(desk: Desk, **changes: Any) -> None:
    decision = desk.say("decide")
    desk.data = b"".join(split_lines(desk.data)[:-1])
    statement = statement_of(decision)
    desk.add({**statement, "predicate": {**statement["predicate"], **changes}}, 4)


def _foreign_signature(desk: Desk) -> None:
    """The signature of another line under this one's content."""
    desk.say("decide")
    last, before = split_lines(desk.data)[-1], split_lines(desk.data)[-2]
    import json

    envelope, other = json.loads(last), json.loads(before)
    envelope["signatures"] = [{"keyid": envelope["signatures"][0]["keyid"], "sig": other["signatures"][0]["sig"]}]
    desk.data = b"".join(split_lines(desk.data)[:-1]) + dump_line(envelope)


def _no_signature(desk: Desk) -> None:
    import json

    desk.say("decide")
    envelope = json.loads(split_lines(desk.data)[-1])
    desk.data = b"".join(split_lines(desk.data)[:-1]) + dump_line({**envelope, "signatures": []})


def _spaced(desk: Desk) -> None:
    desk.say("decide")
    desk.data = desk.data[:-1] + b" \n"


def _gap(desk: Desk) -> None:
    desk.say("decide")
    lines = split_lines(desk.data)
    desk.data = b"".join([*lines[:2], *lines[3:]])


D = {"role": "decide"}
# Name, what is written after recommend, input and agree have spoken, how it is heard, the code, both values.
WRONG: list[Wrong] = [
    ("other manifest", lambda d: d.say("decide", manifest_sha256="9" * 64), {}, "root", ("9" * 64,)),
    ("other run", lambda d: d.say("decide", run="m07-ffffffffffffffff"), {}, "run", ("m07-ffffffffffffffff", "m07-0123456789abcdef")),
    ("other commit", lambda d: d.say("decide", commit="d" * 40), {}, "commit", ("d" * 40, "c" * 40)),
    ("no commit", lambda d: d.say("decide", commit=None), {}, "commit", ("nenhum", "c" * 40)),
    ("other module", lambda d: d.say("decide", module="M08"), {}, "module", ("M08", "M07")),
    ("other environment", lambda d: d.say("decide", environment="homologacao"), {}, "environment", ("homologacao", "producao")),
    ("before the opinion", lambda d: d.say("decide", opinion_sha256=None), {}, "opinion", ("nenhum", "e" * 64)),
    ("other opinion", lambda d: d.say("decide", opinion_sha256="1" * 64), {}, "opinion", ("1" * 64, "e" * 64)),
    ("other previous pack", lambda d: d.say("decide", previous_pack="2" * 64), {}, "previous-pack", ("2" * 64, "nenhum")),
    ("expired", lambda d: d.say("decide", expires_at=stamp(NOW - DAY / 2)), {}, "expired", (stamp(NOW - DAY / 2), stamp(NOW))),
    ("future", lambda d: d.say("decide", issued_at=stamp(NOW + DAY)), {}, "future", (stamp(NOW + DAY), stamp(NOW))),
    ("before the pack", lambda d: d.say("decide", issued_at=stamp(NOW - 11 * DAY)), {}, "backdated", (stamp(NOW - 11 * DAY), stamp(NOW - 10 * DAY))),
    ("before the line above", lambda d: d.say("decide", issued_at=stamp(NOW - 2 * DAY)), {}, "backdated", (stamp(NOW - 2 * DAY), stamp(NOW - DAY))),
    ("too long", lambda d: d.say("decide", expires_at=stamp(NOW + 300 * DAY)), {}, "validity", (stamp(NOW + 300 * DAY), "90")),
    ("ends before it begins", lambda d: d.say("decide", expires_at=stamp(NOW - 3 * DAY)), {}, "validity", (stamp(NOW - 3 * DAY), stamp(NOW - DAY))),
    ("nonce used above", lambda d: d.say("decide", nonce=f"{1:032x}"), {}, "nonce", (f"{1:032x}", "linha 1", "linha 4")),
    ("nonce of another pack", lambda d: d.say("decide"), {"nonces": {f"{4:032x}": "m07-x/rapid.jsonl"}}, "nonce", (f"{4:032x}", "m07-x/rapid.jsonl")),
    ("short nonce", lambda d: d.say("decide", nonce="1"), {}, "nonce", ("'1'", "32")),
    ("same person in two roles", lambda d: d.say("decide", person="davi", seed=4) and d.say("decide", person="davi", seed=4, nonce="a" * 32), {}, "twice", ("davi", "linha 4")),
    ("two keys of one person", lambda d: d.say("decide") and d.say("decide", seed=DAVI_SECOND, nonce="a" * 32), {"trust": trust(threshold=2)}, "twice", ("davi", "linha 4")),
    ("role not held", lambda d: d.say("decide", person="ana"), {}, "role", ("ana", "davi, elisa")),
    ("key of another person", lambda d: d.say("decide", person="davi", seed=5), {}, "person", ("davi", "elisa")),
    ("unknown key", lambda d: d.say("decide", seed=STRANGER), {}, "unknown-key", ("6 outras",)),
    ("revoked key", lambda d: d.say("decide"), {"trust": trust(extra={"davi": "revoked_at = 2026-11-01"})}, "key", ("2026-11-01", "2026-11-22")),
    ("expired key", lambda d: d.say("decide"), {"trust": trust(extra={"davi": "valid_until = 2026-11-01"})}, "key", ("2026-11-01", "2026-11-22")),
    ("key not valid yet", lambda d: d.say("decide"), {"trust": trust(extra={"davi": "valid_from = 2026-11-23"})}, "key", ("2026-11-23", "2026-11-22")),
    ("compromised key", lambda d: d.say("decide"), {"trust": trust(extra={"davi": "compromised = true"})}, "key", ("comprometida",)),
    ("empty signature list", _no_signature, {}, "unsigned", ("davi", "vazia")),
    ("signature of other content", _foreign_signature, {}, "signature", ("não confere",)),
    ("declared under a trust file", lambda d: d.say("decide", signed=False), {}, "unsigned", ("davi", "declarada, não verificada")),
    ("spaces that nobody signed", _spaced, {}, "format", ("canônica",)),
    ("line taken out", _gap, {}, "chain", ("esperava",)),
    ("other sequence", lambda d: d.say("decide", sequence=9), {}, "chain", ("9", "4")),
    ("other statement", lambda d: _tampered(d, predicateType="https://slsa.dev/provenance/v1"), {}, "type", ("slsa.dev", "rapid/v1")),
    ("other subject", lambda d: _tampered(d, subject=[{"name": "x", "digest": {"sha256": "0" * 64}}]), {}, "subject", ("sujeito",)),
    ("newer schema", lambda d: _predicate(d, schema_version="2.0"), {}, "version", ("2.0", "1.0")),
    ("unknown key in it", lambda d: _predicate(d, surprise=1), {}, "format", ("surprise",)),
    ("time of another form", lambda d: d.say("decide", issued_at="ontem"), {}, "format", ("ontem",)),
    ("conditions without one", lambda d: d.say("decide", decision="liberar_com_condicoes"), {}, "conditions", ("vazia",)),
    ("exception without owner", lambda d: d.say("decide", exceptions=_exception(owner=" ")), {}, "exception", ("M07-NC-004",)),
    ("exception without end", lambda d: d.say("decide", exceptions=_exception(until="nunca")), {}, "exception", ("nunca",)),
    ("exception that is over", lambda d: d.say("decide", exceptions=_exception(until="2026-11-01")), {}, "exception", ("2026-11-01", "2026-11-22")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("write", "heard", "code", "values"), [each[1:] for each in WRONG], ids=[each[0] for each in WRONG]
)
def test_a_wrong_decision_is_refused(
    write: Callable[[Desk], Any], heard: dict[str, Any], code: str, values: tuple[str, ...]
) -> None:
    desk = Desk().approve(until="agree")
    write(desk)
    board = desk.hear(**heard)
    refused = board.refused[-1]
    assert refused.code == code
    for value in values:
        assert value in refused.message
    assert not _released_by_it(board)


def _released_by_it(board: Board) -> bool:
    return board.released and board.accepted[-1].line >= board.refused[-1].line


def test_there_are_more_than_twenty_ways_to_be_wrong() -> None:
    assert len({each[0] for each in WRONG}) >= 20
    assert len({each[3] for each in WRONG}) >= 15


def test_one_person_does_not_judge_what_they_recommended() -> None:
    both = {**trust().roles, "agree": trust().roles["recommend"]}
    desk = Desk().approve(until="input")
    desk.say("agree", person="ana")
    from dataclasses import replace

    refused = desk.hear(trust=replace(trust(), roles=both)).refused
    assert [each.code for each in refused] == ["segregation"]
    assert "recommend (linha 1), e agora agree" in refused[0].message


def test_order_is_kept() -> None:
    desk = Desk()
    desk.say("agree")
    desk.say("decide")
    desk.say("perform")
    assert [(each.code, each.message) for each in desk.hear().refused] == [
        ("order", "agree veio antes de recommend"),
        ("order", "decide veio antes de recommend, input, agree"),
        ("order", "perform veio antes de um decide que libera"),
    ]


def test_what_expired_kept_its_place_and_may_be_said_again() -> None:
    desk = Desk()
    desk.say("recommend", expires_at=stamp(NOW - DAY / 2))
    for role in ("input", "agree", "decide"):
        desk.say(role)
    board = desk.hear()
    assert [each.code for each in board.refused] == ["expired"]
    assert [each.role for each in board.missing] == ["recommend"]
    desk.say("recommend", nonce="b" * 32)
    assert desk.hear().released


def test_a_no_does_not_expire() -> None:
    desk = Desk().approve(until="input")
    desk.say("agree", decision="bloquear", expires_at=stamp(NOW - DAY / 2))
    desk.say("decide")
    board = desk.hear()
    assert not board.released
    assert [each.decision.role for each in board.vetoes] == ["agree"]


def test_a_torn_line_counts_for_nothing() -> None:
    desk = Desk().approve()
    desk.data = desk.data[:-1]
    assert [each.code for each in desk.hear().refused] == ["torn"]


def test_lines_that_are_no_envelopes_are_refused_one_by_one() -> None:
    desk = Desk(data=b'{}\nnot json\n{"payload":"%%","payloadType":"x","signatures":[]}\n')
    assert [each.code for each in desk.hear().refused] == ["format"] * 3


def test_an_opinion_that_does_not_exist_cannot_be_cited() -> None:
    desk = Desk(manifest=manifest(opinion_sha256=None))
    desk.say("recommend", opinion_sha256="e" * 64)
    assert [each.code for each in desk.hear().refused] == ["opinion"]


def test_a_lone_zip_cannot_know_the_previous_pack() -> None:
    desk = Desk()
    desk.say("recommend", previous_pack="7" * 64)
    assert not desk.hear(history=False).refused


def test_each_flipped_byte_of_a_decision_is_noticed() -> None:
    desk = Desk().approve()
    for place in range(0, len(desk.data), 37):
        flipped = desk.data[:place] + bytes([desk.data[place] ^ 1]) + desk.data[place + 1 :]
        assert Desk(data=flipped).hear().refused, place


def test_nonces_of_any_line_are_used_up() -> None:
    desk = Desk().approve(until="input")
    assert list(nonces_of(desk.data + b"junk\n")) == [f"{1:032x}", f"{2:032x}"]
