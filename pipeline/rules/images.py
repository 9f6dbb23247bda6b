"""IMG: container images say exactly which bytes run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipeline.audit.rule import rule
from pipeline.audit.select import images
from pipeline.domain.finding import FixMode, Param, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.images import ImageReference, ImageUse
    from pipeline.audit.rule import Breach

__all__ = ["floating_tag", "latest_like_tag", "latest_tag", "moving_tag_not_pulled", "placeholder_tag", "untagged"]

_REMEDY = "Fixe a imagem por tag imutável ou, melhor, por digest, em `[parameters.images]`."
_PLACEHOLDER_TAG = re.compile(
    r"v?(?:x|n|y)(?:[._-](?:x|y|z|n|m|p))*|v?\d+(?:\.\d+)*(?:\.[xyz])+|y{4}[._-]?m{2}[._-]?d{2}|"
    r"(?:your|sua|seu|image|app|git|commit|release)?[-_]?(?:tag|version|versao|versão|sha|digest|hash)(?:[-_]?(?:here|aqui))?|"
    r"change[-_]?me|replace[-_]?me|to-?do|fixme|tbd|placeholder|pinned|definir|preencher|xxx+|\.\.\.|…",
    re.IGNORECASE,
)
_DIGEST = re.compile(r"[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-fA-F]{32,}")
_ONE_NUMBER = re.compile(r"v?\d{1,5}(?:-(?=[a-z])[a-z][a-z-]*\d*)?", re.IGNORECASE)
_COMMIT = re.compile(r"(?:sha-?|git-?)?[0-9a-f]{7,64}", re.IGNORECASE)
_CHANNEL = re.compile(
    r"(?:^|[-_.])(?:stable|lts|edge|nightly|rolling|current|main|master|canary)(?:$|[-_.])", re.IGNORECASE
)
_EXACT = re.compile(r"\d+[._]\d+|\d{6}|\d{4}-\d{2}-\d{2}|(?:^|[-_.])(?=[a-f]{0,12}\d)[0-9a-f]{7,40}(?:$|[-_.])")


def _pinned(image: ImageUse) -> Param:
    """The entry of ``[parameters.images]``, or ``[parameters.tags]``, that says what this image is pinned to."""
    repository = image.reference.repository
    if image.is_map:
        return Param(name=f"tags.{repository}", question=f"Qual tag imutável de `{repository}` a plataforma aprova?")
    return Param(
        name=f"images.{repository}",
        template=repository + "{}",
        question=f"Qual versão (`:tag` ou `@sha256:…`) de `{repository}` a plataforma aprova?",
    )


def _is_placeholder(reference: ImageReference, text: str) -> bool:
    if "<" in text or ">" in text:
        return True
    if reference.tag is not None and _PLACEHOLDER_TAG.fullmatch(reference.tag):
        return True
    return reference.digest is not None and "$" not in text and not _DIGEST.fullmatch(reference.digest)


def _is_open(image: ImageUse) -> bool:
    """Whether the reference is text that a rule on tags may judge: neither a variable nor a blank to fill in."""
    return bool(image.text.strip()) and not image.is_variable and not _is_placeholder(image.reference, image.pulled)


def _floats(tag: str) -> bool:
    """One numeric component, or a name that moves; dates, build numbers and commits are pins."""
    if "latest" in tag.lower() or _COMMIT.fullmatch(tag):
        return False
    if _ONE_NUMBER.fullmatch(tag) or not any(char.isdigit() for char in tag):
        return True
    return bool(_CHANNEL.search(tag)) and not _EXACT.search(tag)


@rule(
    "IMG-LATEST",
    Severity.ALTA,
    over=images,
    fix=FixMode.PARAM,
    title="Imagem com a tag `latest`",
    explanation="`latest` muda sem aviso: o que foi aprovado não é o que roda, e o rollback não volta à mesma imagem.",
    remedy=_REMEDY,
    sources=("COO §5.1", "COO §12.3", "AUD §4.5.4"),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: registry:5000/app:latest
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: registry:5000/app:1.2.3
""",
)
def latest_tag(image: ImageUse) -> Iterator[Breach]:
    """The tag equals ``latest``, whatever its case."""
    if image.reference.tag is not None and image.reference.tag.lower() == "latest":
        yield image.breach(f"`{image.text}` usa a tag `latest`", changes=image.changes(_pinned(image)))


@rule(
    "IMG-LATESTLIKE",
    Severity.ALTA,
    over=images,
    fix=FixMode.PARAM,
    title="Imagem com uma variante de `latest`",
    explanation="Uma tag como `main-latest` anda a cada publicação, tal como `latest`: o que foi aprovado não é o que "
    "roda.",
    remedy="Fixe a imagem por tag imutável ou por digest, em `[parameters.images]`; se o fornecedor só publica este "
    "canal, fixe o digest.",
    sources=("COO §5.2",),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: ghcr.io/berriai/litellm:main-latest
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: ghcr.io/berriai/litellm:v1.40.0
""",
)
def latest_like_tag(image: ImageUse) -> Iterator[Breach]:
    """The tag contains ``latest`` and is another; a digest beside it pins the image."""
    reference = image.reference
    tag = (reference.tag or "").lower()
    if "latest" in tag and tag != "latest" and reference.digest is None:
        yield image.breach(f"`{image.text}` usa a tag móvel `{reference.tag}`", changes=image.changes(_pinned(image)))


@rule(
    "IMG-UNTAGGED",
    Severity.ALTA,
    over=images,
    fix=FixMode.PARAM,
    title="Imagem sem tag nem digest",
    explanation="Sem tag, o runtime baixa `latest`: o que foi aprovado não é o que roda.",
    remedy=_REMEDY,
    sources=("COO §5.2",),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: registry:5000/owasp/zap2docker-stable
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: registry:5000/owasp/zap2docker-stable:2.14.0
""",
)
def untagged(image: ImageUse) -> Iterator[Breach]:
    """Neither tag nor digest."""
    if image.reference.tag is None and image.reference.digest is None and _is_open(image):
        yield image.breach(f"`{image.text}` não tem tag nem digest", changes=image.changes(_pinned(image)))


@rule(
    "IMG-PLACEHOLDER",
    Severity.MEDIA,
    over=images,
    fix=FixMode.PARAM,
    title="Imagem com versão por preencher",
    explanation="Uma versão de exemplo (`vX.Y.Z`, `<tag>`) não existe no registry: o objeto não sobe assim.",
    remedy="Escreva a versão que a plataforma aprova, em `[parameters.images]`.",
    sources=("COO §5.2",),
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: registry/app:vX.Y.Z
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: registry/app:v1.2.3
""",
)
def placeholder_tag(image: ImageUse) -> Iterator[Breach]:
    """A version to be filled in, in the tag, the digest or between angle brackets."""
    reference = image.reference
    if not _is_placeholder(reference, image.pulled):
        return
    whole = "<" not in reference.repository and ">" not in reference.repository
    changes = image.changes(_pinned(image)) if whole and reference.repository else ()
    yield image.breach(f"`{image.text}` traz uma versão por preencher", changes=changes)


@rule(
    "IMG-FLOAT",
    Severity.BAIXA,
    over=images,
    fix=FixMode.PARAM,
    title="Imagem com tag que anda",
    explanation="Uma tag com um só número (`15`) ou com nome de canal (`stable`, `lts`) passa a apontar para outra "
    "imagem quando o fornecedor publica.",
    remedy="Fixe a imagem até a correção (`15.8.1`) ou por digest, em `[parameters.images]`.",
    sources=("COO §5.2",),
    reading="COO §5.2 dá exemplos com três números; aqui dois são tolerados, e datas e commits valem como fixos.",
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: postgres:15
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: postgis/postgis:16-3.4
""",
)
def floating_tag(image: ImageUse) -> Iterator[Breach]:
    """One numeric component or a channel name, and no digest."""
    reference = image.reference
    if reference.tag and reference.digest is None and _is_open(image) and _floats(reference.tag):
        yield image.breach(f"`{image.text}`: a tag `{reference.tag}` anda", changes=image.changes(_pinned(image)))


@rule(
    "IMG-PULL",
    Severity.BAIXA,
    over=images,
    fix=FixMode.AUTO,
    title="Tag móvel com `imagePullPolicy: IfNotPresent`",
    explanation="Com uma tag que anda e `IfNotPresent`, cada nó fica com a imagem do dia em que a baixou: réplicas do "
    "mesmo objeto rodam versões diferentes.",
    remedy="Fixe a imagem; enquanto a tag for móvel, use `imagePullPolicy: Always`.",
    sources=("COO §5",),
    reading="Inferência a partir de COO §5, que não fala de `imagePullPolicy`.",
    bad="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: app:latest
      imagePullPolicy: IfNotPresent
""",
    good="""
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers:
    - name: a
      image: app:latest
""",
)
def moving_tag_not_pulled(image: ImageUse) -> Iterator[Breach]:
    """``IfNotPresent`` written beside a moving tag; an absent policy is Always for ``latest``."""
    reference = image.reference
    if image.container.get("imagePullPolicy") != "IfNotPresent" or reference.digest is not None or not _is_open(image):
        return
    tag = reference.tag
    if tag is None or "latest" in tag.lower() or _floats(tag):
        path = (*image.path[:-1], "imagePullPolicy")
        yield image.holder.breach(
            f"`{image.text}` anda, e `IfNotPresent` não a baixa de novo", *path, changes=(image.set(path, "Always"),)
        )
