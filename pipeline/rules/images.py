"""IMG: container images say exactly which bytes run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.audit.rule import rule
from pipeline.audit.select import images
from pipeline.domain.finding import FixMode, Param, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.audit.images import ImageUse
    from pipeline.audit.rule import Breach

__all__ = ["latest_tag"]


def _pinned(image: ImageUse) -> Param:
    """The ``[parameters.images]`` entry that says which tag or digest this image is pinned to."""
    repository = image.reference.repository
    return Param(
        name=f"images.{repository}",
        template="{}" if image.is_map else repository + "{}",
        question=f"Qual versão (`:tag` ou `@sha256:…`) de `{repository}` a plataforma aprova?",
    )


@rule(
    "IMG-LATEST",
    Severity.ALTA,
    over=images,
    fix=FixMode.PARAM,
    title="Imagem com a tag `latest`",
    explanation="`latest` muda sem aviso: o que foi aprovado não é o que roda, e o rollback não volta à mesma imagem.",
    remedy="Fixe a imagem por tag imutável ou, melhor, por digest, em `[parameters.images]`.",
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
        yield image.breach(f"`{image.text}` usa a tag `latest`", changes=(image.replace(_pinned(image)),))
