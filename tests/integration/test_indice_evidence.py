"""Signed evidence of workers after their chains became one: packs and decisions verify as where they were made."""

from __future__ import annotations

from pathlib import Path

import pytest

from packplace import NAMESPACE, Place
from trailcli import write_tree


@pytest.fixture(scope="module")
def gathered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, str]:
    """The merged folder, and the run that was decided on.

    One worker packs twice and decides on the second; another packs the same module in between.
    """
    folder = tmp_path_factory.mktemp("workers")
    one, two, central = (_place(folder / name) for name in ("one", "two", "central"))
    one.pack()
    write_tree(two.module, {"base/ns.yaml": NAMESPACE + "  labels: {a: b}\n"})
    two.pack()
    write_tree(one.module, {"base/ns.yaml": NAMESPACE + "  labels: {c: d}\n"})
    one.pack()
    for role in ("recommend", "input", "agree", "decide"):
        said = one.say(role)
        assert "registrado" in said.out, said.err
    assert one.verify(one.artifacts.root).code == 0
    merged = central.run("indice", "--merge", one.artifacts.root, two.artifacts.root)
    assert merged.code == 0, merged.err
    return central, one.artifacts.run


def _place(root: Path) -> Place:
    root.mkdir()
    return Place(root)


def test_the_merged_folder_verifies_with_every_signature_and_decision(gathered: tuple[Place, str]) -> None:
    central, _ = gathered
    ran = central.verify(central.artifacts.root)
    assert (ran.code, ran.err) == (0, "")
    assert "íntegro: 3 execuções distintas" in ran.out


def test_the_decision_counts_as_it_did(gathered: tuple[Place, str]) -> None:
    central, run = gathered
    ran = central.run("rapid", "status", "--run", run, "--trust", central.trust, "--strict")
    assert "liberado: decisão verificada" in ran.out
    assert "não conta" not in ran.out


def test_it_counts_in_a_folder_that_is_gathered_from_gathered_ones(gathered: tuple[Place, str], tmp_path: Path) -> None:
    central, run = gathered
    above = _place(tmp_path / "above")
    assert above.run("indice", "--merge", central.artifacts.root).code == 0
    ran = above.run("rapid", "status", "--run", run, "--trust", above.trust, "--strict")
    assert "liberado: decisão verificada" in ran.out


def test_what_is_packed_next_follows_the_newest_of_all(gathered: tuple[Place, str]) -> None:
    central, _ = gathered
    write_tree(central.module, {"base/ns.yaml": NAMESPACE + "  labels: {e: f}\n"})
    central.pack()
    said = central.say("recommend")
    assert "registrado" in said.out, said.err
    ran = central.verify(central.artifacts.root)
    assert (ran.code, ran.err) == (0, "")
