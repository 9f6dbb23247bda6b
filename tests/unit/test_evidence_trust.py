"""The trust file: closed, typed, one owner per key."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from evidencekit import NOW, PEOPLE, PIPELINE, key, key_table, trust, trust_text
from pipeline.errors import UsageError
from pipeline.evidence.trust import load_trust


def test_it_names_people_roles_keys_and_machines() -> None:
    found = trust(threshold=2)
    assert found.roles["decide"].people == ("davi", "elisa")
    assert found.roles["decide"].threshold == 2
    assert not found.roles["perform"].required
    assert found.keys[key(PEOPLE["ana"]).keyid].owner == "ana"
    assert set(found.pipeline) == {key(PIPELINE).keyid}
    assert found.max_days == 90


def test_dates_are_whole_days_and_times_need_a_zone() -> None:
    found = trust(
        extra={"ana": "valid_from = 2026-01-01\nvalid_until = 2026-12-31\nrevoked_at = 2026-06-01T10:00:00-03:00"}
    )
    ana = found.keys[key(PEOPLE["ana"]).keyid]
    assert ana.valid_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert ana.valid_until == datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert ana.revoked_at == datetime(2026, 6, 1, 13, tzinfo=UTC)
    assert ana.fault(datetime(2026, 5, 1, tzinfo=UTC)) is None
    assert "revogada" in str(ana.fault(NOW))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("schema_version = [", "TOML"),
        ("\xff", "TOML"),
        (trust_text().replace('"1.0"', '"2.0"', 1), "2.0"),
        ("max_days = 0\n" + trust_text(), "max_days"),
        ("max_days = true\n" + trust_text(), "max_days"),
        ("surprise = 1\n" + trust_text(), "surprise"),
        (trust_text(tail="[roles.king]\n"), "king"),
        (trust_text(tail='[pipeline]\nother = "x"\n').replace("[[pipeline.keys]]", "[[pipelin.keys]]"), "pipelin"),
        ('schema_version = "1.0"\n', "people"),
        ('schema_version = "1.0"\n[people]\n', "roles"),
        (trust_text().replace('people = ["ana"]', "people = []", 1), "roles.recommend"),
        (trust_text().replace('people = ["ana"]', 'people = ["zé"]', 1), "zé"),
        (trust_text(threshold=3), "threshold"),
        (trust_text().replace('people = ["bruno"]', 'people = ["bruno"]\nrequired = 1'), "required"),
        (trust_text().replace('people = ["carla"]', 'people = ["carla"]\nrequired = false'), "required"),
        (trust_text(extra={"ana": "valid_from = 2026-01-01T00:00:00"}), "valid_from"),
        (trust_text(extra={"ana": 'valid_from = "hoje"'}), "valid_from"),
        (trust_text(extra={"ana": 'compromised = "não"'}), "compromised"),
        (trust_text(extra={"ana": "colour = 1"}), "colour"),
        (trust_text(tail=key_table("people.elisa", 1)), "já é de ana"),
        (trust_text().replace("BEGIN PUBLIC KEY", "BEGIN FOO", 1), "Ed25519"),
        (trust_text().replace('name = "Ana Souza"', "name = 3"), "people.ana.name"),
        (trust_text(tail='[people.ze]\nname = "Zé"\nkeys = 3\n'), "people.ze.keys"),
    ],
)
def test_what_is_wrong_is_named(text: str, named: str) -> None:
    data = text.encode("latin-1") if text == "\xff" else text.encode()
    with pytest.raises(UsageError) as caught:
        load_trust(data, where="trust.toml")
    assert named in str(caught.value)
    assert caught.value.where == "trust.toml"


def test_an_rsa_key_is_no_key() -> None:
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    other = generate_private_key(public_exponent=65537, key_size=2048).public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    text = trust_text().replace(key(1).public_pem.decode(), pem)
    with pytest.raises(UsageError, match="Ed25519"):
        load_trust(text.encode(), where="trust.toml")
