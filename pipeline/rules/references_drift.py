"""GIT: the document against the GitOps tree that the platform runs, and against the versions that the stack fixes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.audit.images import ImageUse, images
from pipeline.audit.rule import CouldNotJudge, Example, rule
from pipeline.audit.selecting import selects
from pipeline.audit.views import ModuleView
from pipeline.domain.finding import Severity
from pipeline.domain.snapshot import ModuleSnapshot
from pipeline.rules.lookup import find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.rule import Breach
    from pipeline.audit.views import ContainerView, ObjectView

__all__ = ["drifted"]

_NOT_APPLIED = ("kustomize.config.k8s.io", "backstage.io", "scaffolder.backstage.io")
_NO_EVIDENCE = frozenset(("Namespace",))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Compared:
    """An object of the document and those of the same kind and name in the tree; or why there is no comparison."""

    object: ObjectView
    twins: tuple[ObjectView, ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fixed:
    """An image of a component whose version the stack fixes."""

    image: ImageUse
    component: str
    version: str


def _tree(module: ModuleView) -> Iterator[ModuleView]:
    """The reference tree as a module of its own, so that its kustomizations are obeyed."""
    snapshot = ModuleSnapshot(id="", title="", version="", sha256="", document=None, files=module.references.tree or ())
    yield ModuleView(snapshot, module.policy)


@selects("objetos do documento contra a árvore, imagens contra o stack")
def _drifting(module: ModuleView) -> Iterator[_Compared | _Fixed]:
    """Objects that the document gives whole, against the tree; images whose version the stack fixes."""
    if module.references.tree is not None:
        yield from _against_tree(module)
    versions = module.references.stack.versions if module.references.stack else {}
    for image in module.select(images) if versions else ():
        name = image.reference.repository.rpartition("/")[2]
        if name in versions and image.reference.tag and not image.is_variable:
            yield _Fixed(image=image, component=name, version=versions[name])


def _against_tree(module: ModuleView) -> Iterator[_Compared]:
    (tree,) = module.select(_tree)
    given = [
        each
        for each in module.objects
        if each.file.source.segments
        and not each.file.source.fragment
        and not each.partial
        and not each.group.endswith(_NOT_APPLIED)
    ]
    twins = {id(each): tuple(find(tree, each.kind, each.cluster_name)) for each in given}
    if given and not any(twins[id(each)] for each in given if each.kind not in _NO_EVIDENCE):
        reason = f"a árvore de referência não tem nenhum dos {len(given)} objetos do documento: é um esboço, ou é outra"
        yield _Compared(object=given[0], reason=reason)
        return
    for each in given:
        yield _Compared(object=each, twins=twins[id(each)])


_DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: core-a, namespace: %s}
spec: {template: {spec: {containers: [{name: a, image: 'a:%s'}]}}}
"""
_DOCUMENT = "# Módulo 01 – A\n\n```bash\ncat > apps/a/a.yaml << 'EOF'%sEOF\n```\n"


@rule(
    "GIT-DRIFT",
    Severity.MEDIA,
    over=_drifting,
    title="Manifest do módulo diverge do que a plataforma tem",
    explanation=(
        "O documento e a árvore GitOps descrevem o mesmo objeto de dois modos, ou a imagem não é a versão que o stack "
        "fixa: o que foi aprovado não é o que roda."
    ),
    remedy="Decida qual dos dois vale e iguale o outro; a árvore muda só por pull request.",
    sources=("AUD §6.6", "AUD §6.8"),
    reading="Só é comparado o que o documento entrega inteiro; uma árvore sem nenhum desses objetos é um esboço.",
    bad=Example(
        document=_DOCUMENT % (_DEPLOYMENT % ("a", "1.2.3")), tree={"apps/a/a.yaml": _DEPLOYMENT % ("outro", "1.2.3")}
    ),
    good=Example(
        document=_DOCUMENT % (_DEPLOYMENT % ("a", "1.2.3")), tree={"apps/a/a.yaml": _DEPLOYMENT % ("a", "1.2.3")}
    ),
)
def drifted(compared: _Compared | _Fixed) -> Iterator[Breach]:
    """Another namespace, another image, or no such object in the tree; another version than the stack fixes."""
    if isinstance(compared, _Fixed):
        tag = compared.image.reference.tag or ""
        if not _same_version(tag, compared.version):
            detail = f"`{compared.image.text}` não é a versão {compared.version}, que o stack fixa para "
            yield compared.image.breach(detail + f"`{compared.component}`")
        return
    if compared.reason:
        raise CouldNotJudge(compared.reason)
    found, twins = compared.object, compared.twins
    if not twins:
        yield found.breach(f"{found.kind} `{found.name}` não existe na árvore de referência", "metadata", "name")
        return
    elsewhere = sorted({each.namespace for each in twins if each.namespace})
    if found.namespace and elsewhere and found.namespace not in elsewhere:
        shown = ", ".join(f"`{each}`" for each in elsewhere)
        detail = f"{found.kind} `{found.name}` está em `{found.namespace}` no documento e em {shown} na árvore"
        yield found.breach(detail, "metadata", "namespace", key="namespace")
    near = [each for each in twins if each.namespace == found.namespace] or list(twins)
    yield from _other_images(found, near[0])


def _other_images(found: ObjectView, twin: ObjectView) -> Iterator[Breach]:
    held = {each.name: _image(each) for each in (twin.pod.containers if twin.pod else ())}
    for container in found.pod.containers if found.pod else ():
        image, there = _image(container), held.get(container.name)
        if image and there and image != there:
            detail = f"o contêiner `{container.name}` usa `{image}` no documento e `{there}` na árvore"
            yield container.breach(detail, "image", key=container.name)


def _image(container: ContainerView) -> str:
    image = container.value.get("image")
    return image if isinstance(image, str) and "$" not in image else ""


def _same_version(tag: str, version: str) -> bool:
    """Whether a tag is the version or one of its line: ``15.8-alpine`` and ``15.8.1`` are of ``15.8``."""
    bare, wanted = tag.removeprefix("v"), version.removeprefix("v")
    return bare == wanted or bare.startswith((f"{wanted}.", f"{wanted}-", f"{wanted}_", f"{wanted}+"))
