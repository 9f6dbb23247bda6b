"""What the opinion is made from: the run's documents, the module's inventory, the masker that knows its secrets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pipeline.audit.images import images
from pipeline.audit.injection import is_injection
from pipeline.audit.views import ModuleView
from pipeline.codec import sha256_hex, visible
from pipeline.domain.artifact import MapaNc
from pipeline.domain.opinion import OpinionMetadata, Package
from pipeline.flow.patching import build_patch
from pipeline.masking import Masker, unresolved
from pipeline.module.document import read_document
from pipeline.opinion.inventory import Inventory, ObjectFact, build_inventory
from pipeline.opinion.package import BaseChange, Delivery, ImageFacts, TestFacts, build_package, split_patch
from pipeline.opinion.prompt import policy_digest
from pipeline.records import dump_record, load_record
from pipeline.rules.secrets import clear_secret

if TYPE_CHECKING:
    from pipeline.flow.answers import SuiteResults
    from pipeline.stages import Trail

__all__ = ["SECOND_AUDIT", "Question", "prepare"]

SECOND_AUDIT = "modulo_reescrito.mapa_nc.json"
_INJECTION_RULE = "READ-PROMPT"


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What would be asked, but for the nonce."""

    delivery: Delivery
    package: Package
    package_sha256: str
    policy_sha256: str
    masker: Masker


def prepare(trail: Trail) -> Question:
    """Everything that the opinion of a run needs; runs the stages before it where they have not run."""
    view = ModuleView(trail.snapshot, trail.config.policy)
    masker, secure = _masker(trail, view)
    delivery = _delivery(trail, view, masker)
    package = build_package(delivery, mask=lambda value: _masked(masker, value), remains=unresolved)
    if not secure:
        package = replace(package, unresolved=(*package.unresolved, "segredos que a busca não pôde julgar"))
    return Question(
        delivery=delivery,
        package=package,
        package_sha256=sha256_hex(dump_record(package)),
        policy_sha256=policy_digest(trail.config.opinion),
        masker=masker,
    )


def _masker(trail: Trail, view: ModuleView) -> tuple[Masker, bool]:
    """The masker that knows this module's secrets, and whether the search for them could judge everything."""
    texts = [file.text for file in view.files]
    if view.document is not None:
        texts.append(view.document.document.text)
    if trail.base is not None:
        texts += [data.decode("utf-8", "replace") for data in trail.base.files.values()]
    literals: set[str] = set()
    secure = True
    for subject in view.select(clear_secret.over):
        try:
            literals.update(secret for breach in clear_secret.check(subject) for secret in breach.secrets)
        except Exception:  # hostile input in a search for secrets: nothing is sent then
            secure = False
    for found in view.by_kind.get("Secret", ()):
        for field in ("data", "stringData"):
            held = found.get(field)
            literals.update(str(value) for value in (held.values() if isinstance(held, dict) else ()) if value)
    public = [name for found in view.objects for name in (found.name, found.kind, found.file.path)]
    return Masker(sources=[*texts, trail.author()], literals=literals, public=public), secure


def _masked(masker: Masker, value: Any) -> tuple[Any, Counter[str]]:
    before = Counter(masker.counts)
    shown = masker.value(value)
    return shown, masker.counts - before


def _delivery(trail: Trail, view: ModuleView, masker: Masker) -> Delivery:
    store, run = trail.store, trail.run
    mapa, rewrite = trail.mapa, trail.rewritten
    after = load_record(store.read(run, "reports", SECOND_AUDIT), MapaNc, where=SECOND_AUDIT)
    patches = sorted(name for name in store.digests(run, "reports") if name.endswith(".patch"))
    patch = "".join(store.read(run, "reports", name).decode("utf-8", "replace") for name in patches)
    base = _base_change(trail)
    prefixes = {path.removeprefix(trail.source.tree_prefix) for path, _ in split_patch(patch)}
    changed = prefixes | {each.path for each in rewrite.files if each.sha256 != each.before}
    changed |= _changed_since_base(trail, view)
    inventory = _inventory(view, changed)
    state = mapa.source
    tests = trail.tests
    items = tuple(
        replace(each, question=masker.text(each.question), reason=masker.text(each.reason))
        for each in trail.unopined_checklist.items
    )
    injections = [each.id for each in mapa.non_conformities if each.rule == _INJECTION_RULE and each.is_open]
    injections += [
        name for name, text in (("branch", state.branch), ("autor", trail.author())) if text and is_injection(text)
    ]
    # What is judged is an input of the run, never what another command happens to have left in it.
    image = trail.image if trail.image is not None and trail.image.sha256 else None
    absent = ["SBOM da imagem", *([] if image else ["digest da imagem"])]
    return Delivery(
        mapa=mapa,
        after=after,
        plan=trail.plan,
        rewrite=rewrite,
        items=items,
        patch=patch,
        base=base,
        applications="" if trail.appset is None else trail.appset.applications.decode("utf-8", "replace"),
        drift=() if trail.appset is None else trail.appset.drift,
        tests=None if tests is None else _tests(tests),
        image=None if image is None else ImageFacts(name=image.name, document_sha256=image.sha256),
        inventory=inventory,
        metadata=OpinionMetadata(
            commit=state.commit,
            branch=None if state.branch is None else masker.text(visible(state.branch)),
            author=masker.text(visible(trail.author())) or None,
            pipeline=f"appgear-pipeline {trail.version}",
            environment=trail.config.opinion.environment,
            dependencies=tuple(masker.text(visible(each)) for each in inventory.images),
        ),
        injections=tuple(injections),
        not_examined=(*absent, *(() if tests else ("testes e cobertura da esteira",))),
    )


def _base_change(trail: Trail) -> BaseChange | None:
    """Document and tree against the base revision; None where none was named."""
    if trail.base is None:
        return None
    patch = build_patch(trail.base.files, _contents(trail))
    return BaseChange(commit=trail.base.commit, patch=patch.decode("utf-8", "replace"))


def _contents(trail: Trail) -> dict[str, bytes]:
    contents = {each.path: each.content for each in trail.source.tree}
    document = trail.snapshot.document
    return contents | ({document.path: trail.source.document_bytes} if document is not None else {})


def _changed_since_base(trail: Trail, view: ModuleView) -> set[str]:
    """Paths of audited files that are not what they were: of the tree, and embedded in a document that changed."""
    if trail.base is None:
        return set()
    now, before = _contents(trail), trail.base.files
    changed = {path for path in now if now[path] != before.get(path)}
    document = trail.snapshot.document
    if document is None or document.path not in changed:
        return changed
    earlier = before.get(document.path)
    embedded = {each.path: each.text for each in read_document(earlier, path=document.path).files} if earlier else {}
    return changed | {each.path for each in view.files if embedded.get(each.path) != each.text}


def _tests(tests: SuiteResults) -> TestFacts:
    return TestFacts(passed=tests.passed, failed=tests.failed, skipped=tests.skipped, coverage=int(tests.coverage * 10))


def _inventory(view: ModuleView, changed: set[str]) -> Inventory:
    objects = [
        ObjectFact(
            kind=found.kind,
            name=found.name,
            path=found.file.path,
            exposed=found.kind == "Service" and found.get("spec", "type") in ("LoadBalancer", "NodePort"),
        )
        for found in view.objects
    ]
    named = [str(each.text) for each in view.select(images)]
    return build_inventory(objects, images=named, changed=changed)
