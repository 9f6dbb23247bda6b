"""Which Applications a change touches, and the gate on deleting too many."""

from __future__ import annotations

from pipeline.appset.changes import FieldChange, diff_applications
from pipeline.appset.preview import GeneratedApplication


def _app(
    name: str, *, wave: str = "0", finalizer: bool = False, namespace: str | None = "argocd"
) -> GeneratedApplication:
    metadata: dict[str, object] = {"name": name, "labels": {"wave": wave}}
    if finalizer:
        metadata["finalizers"] = ["resources-finalizer.argocd.argoproj.io/background"]
    return GeneratedApplication(
        name=name,
        namespace=namespace,
        application_set="set",
        element=0,
        manifest={"metadata": metadata, "spec": {"sources": [{"path": wave}], "info": [wave] * int(wave)}},
    )


def _apps(count: int) -> list[GeneratedApplication]:
    return [_app(f"a{number}") for number in range(count)]


def test_nothing_changed() -> None:
    found = diff_applications(_apps(3), _apps(3))
    assert found.empty
    assert found.blocked == ""
    assert not diff_applications([], []).deletes_all


def test_added_changed_deleted() -> None:
    old = [_app("kept"), _app("changed"), *_apps(5), _app("gone", finalizer=True)]
    new = [_app("changed", wave="1"), _app("kept"), *_apps(5), _app("new", namespace=None)]
    found = diff_applications(old, new)
    assert found.added == ("new",)
    assert [(app.name, app.cascades) for app in found.deleted] == [("argocd/gone", True)]
    assert [app.name for app in found.changed] == ["argocd/changed"]
    assert found.changed[0].fields == (
        FieldChange(path="metadata.labels.wave", old="0", new="1"),
        FieldChange(path="spec.info", old=[], new=["1"]),
        FieldChange(path="spec.sources[0].path", old="0", new="1"),
    )
    assert not found.empty
    assert found.blocked == ""


def test_deleting_all_is_blocked() -> None:
    found = diff_applications(_apps(2), [])
    assert found.deletes_all
    assert found.blocked == "a mudança apaga todas as 2 Applications"


def test_replacing_all_by_others_is_blocked_too() -> None:
    assert diff_applications(_apps(1), [_app("other")]).deletes_all


def test_a_fifth_passes_more_does_not() -> None:
    assert not diff_applications(_apps(10), _apps(8)).mass_deletion
    assert diff_applications(_apps(10), _apps(7)).mass_deletion
    assert "3 de 10" in diff_applications(_apps(10), _apps(7)).blocked


def test_five_pass_six_do_not() -> None:
    assert not diff_applications(_apps(100), _apps(95)).mass_deletion
    assert diff_applications(_apps(100), _apps(94)).mass_deletion
    assert not diff_applications(_apps(100), _apps(94)).deletes_all
