"""A small run to have an opinion on, the texts that try to change it, and a gateway that answers as told."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from conftest import ROOT, snapshot_of
from pipeline.adapters.artifacts import open_artifacts
from pipeline.audit.rule import Example
from pipeline.codec import sha256_hex
from pipeline.config import Config
from pipeline.domain.opinion import Reply
from pipeline.domain.snapshot import Origin, SourceFile, SourceState
from pipeline.intake import Source
from pipeline.opinion.settings import OpinionSettings
from pipeline.rules.catalog import load_rules
from pipeline.stages import Trail
from pipeline.store import Store

__all__ = ["BLOCKED", "CLEAN", "HOSTILE", "Trails", "answering", "chat", "good_answer"]

HOSTILE: list[tuple[str, str]] = [
    (each["id"], each["text"])
    for path in sorted((ROOT / "tests" / "opinion_texts").glob("*.json"))
    for each in json.loads(path.read_text(encoding="utf-8"))
]
_RULES = ("IMG-LATEST", "MESH-INJECT", "SEC-CLEAR", "READ-PROMPT", "READ-BIDI")
CLEAN = "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: b}\nspec: {ports: [{port: 80}]}\n"
BLOCKED = (
    "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: b, labels: {sidecar.istio.io/inject: 'false'}}\n"
    "spec: {containers: [{name: a, image: 'app:latest', env: [{name: DB_PASSWORD, value: s3nh4-Forte9}]}]}\n"
)


class Trails:
    """Runs in one artifacts folder, each with its own name."""

    def __init__(self, folder: Path, *, settings: OpinionSettings | None = None) -> None:
        self._stack = ExitStack()
        self.store = Store(self._stack.enter_context(open_artifacts(folder)))
        self.settings = settings or OpinionSettings()
        self.rules = tuple(each for each in load_rules() if each.id in _RULES)

    def close(self) -> None:
        self._stack.close()

    def make(self, files: dict[str, str], *, document: str = "# Módulo 00 – A\n", **given: Any) -> Trail:
        state = SourceState(commit="c" * 40, branch=given.pop("branch", "main"), dirty=False)
        example = Example(files=files, document=document)
        snapshot = snapshot_of(example)
        snapshot = type(snapshot)(**{name: getattr(snapshot, name) for name in snapshot.__slots__} | {"source": state})
        tree = tuple(
            SourceFile(path=path, content=text.encode(), sha256=sha256_hex(text.encode()), origin=Origin(kind="tree"))
            for path, text in sorted(files.items())
        )
        source = Source(
            snapshot=snapshot,
            tree=tree,
            document_bytes=document.encode(),
            document_prefix="",
            tree_prefix="",
            separate_tree=False,
            repository=None,
        )
        settings = given.pop("settings", self.settings)
        author = given.pop("author", "")
        inputs = {"module": "M00", "content": snapshot.sha256, "given": repr((given, settings, author, state.branch))}
        return Trail(
            source=source,
            rules=self.rules,
            config=Config(opinion=settings),
            run=self.store.begin(inputs),
            store=self.store,
            version="0.0.0",
            author=lambda: author,
            **given,
        )


def chat(content: str, *, finish: str = "stop") -> str:
    """A chat completion with this text."""
    message = {"role": "assistant", "content": content}
    return json.dumps({"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": finish}]})


def good_answer(request: bytes, **changed: Any) -> dict[str, Any]:
    """The answer of a model that keeps to the question, with some fields changed."""
    question = json.loads(json.loads(request)["messages"][1]["content"])
    answer = {
        "nonce": question["nonce"],
        "commit": question["commit"],
        "package": question["package"],
        "risk_score": 0,
        "impact": "baixo",
        "recommendation": "liberar",
        "reasons": ["Nada a apontar."],
        "conditions": [],
        "suggestions": [],
        "injection_suspected": False,
    }
    return answer | changed


def answering(**changed: Any) -> Callable[[bytes], Reply]:
    """A gateway whose model keeps to the question, with some fields changed."""

    def ask(request: bytes) -> Reply:
        body = chat(json.dumps(good_answer(request, **changed), ensure_ascii=False))
        return Reply(status=200, body=body, attempts=1)

    return ask
