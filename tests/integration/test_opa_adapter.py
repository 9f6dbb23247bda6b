"""The engine that this machine offers, run through the sealed runner."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.adapters.opa import find_engine
from pipeline.adapters.runner import SealedRunner
from pipeline.audit.opa import PolicySet, evaluate_policies
from pipeline.errors import ToolError, UsageError

POLICIES = PolicySet.from_texts(
    {
        "old.rego": 'package old\n\ndeny[m] {\n  m := sprintf("velho %s", [input.kind])\n}\n',
        "new.rego": 'package new\n\nwarn contains m if {\n  m := sprintf("novo %s", [input.kind])\n}\n',
        "broken.rego": "package broken\n\ndeny contains m if {\n  m := nobody\n}\n",
    }
)


def runner(*programs: str) -> SealedRunner:
    """A runner that finds these programs and no others beside the system's."""
    folders = []
    for name in programs:
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not on PATH")
        folders.append(str(Path(found).parent))
    return SealedRunner(search_path=":".join(dict.fromkeys(folders)) or "/nonexistent")


@pytest.mark.parametrize(("choice", "programs"), [("opa", ["opa"]), ("conftest", ["conftest"]), ("regorus", [])])
def test_every_engine_through_the_runner(choice: Any, programs: list[str]) -> None:
    if choice == "regorus" and importlib.util.find_spec("regorus") is None:
        pytest.skip("the extra [opa] is not installed")
    engine = find_engine(runner(*programs), choice=choice)
    assert engine.name == choice
    evaluation = evaluate_policies(POLICIES, [{"kind": "Pod"}, {"kind": "Job"}, {}], engine)
    assert [[one.message for one in found] for found in evaluation.results] == [
        ["velho Pod", "novo Pod"],
        ["velho Job", "novo Job"],
        [],
    ]
    assert [(one.path, one.line) for one in evaluation.problems] == [("broken.rego", 4)]


def test_the_reference_comes_first() -> None:
    assert find_engine(runner("opa")).name == "opa"


def test_the_next_one_where_there_is_no_program() -> None:
    if importlib.util.find_spec("regorus") is None:
        pytest.skip("the extra [opa] is not installed")
    assert find_engine(runner()).name == "regorus"


def test_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ToolError, match="não há avaliador de políticas Rego"):
        find_engine(runner())


@pytest.mark.parametrize("choice", ["opa", "conftest"])
def test_what_was_asked_for_and_is_missing(choice: Any) -> None:
    with pytest.raises(ToolError):
        find_engine(runner(), choice=choice)


def test_conftest_where_nothing_else_is(monkeypatch: pytest.MonkeyPatch) -> None:
    only = runner("conftest")
    find = only.find

    def without_opa(name: str, **options: Any) -> Any:
        if name == "opa":
            raise ToolError("ausente")
        return find(name, **options)

    monkeypatch.setattr(only, "find", without_opa)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert find_engine(only).name == "conftest"


def test_unknown_choice() -> None:
    wrong: Any = "wasm"
    with pytest.raises(UsageError, match="avaliador de Rego desconhecido"):
        find_engine(runner(), choice=wrong)
