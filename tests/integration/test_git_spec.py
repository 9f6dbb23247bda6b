"""What ``--gitops`` may name (threats T10, T11, T20)."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.adapters.gitspec import GitopsSpec, parse_gitops
from pipeline.errors import InputError


@pytest.mark.parametrize(
    ("text", "url", "revision"),
    [
        ("https://example.org/a/b.git", "https://example.org/a/b.git", None),
        ("https://example.org:8443/a@b/c@v1.2", "https://example.org:8443/a@b/c", "v1.2"),
        ("HTTPS://example.org/a@feature/x", "https://example.org/a", "feature/x"),
        ("ssh://git@example.org:22/a.git@main", "ssh://git@example.org:22/a.git", "main"),
        ("ssh://[::1]/a.git", "ssh://[::1]/a.git", None),
        ("git@example.org:group/a.git", "git@example.org:group/a.git", None),
        ("git@example.org:group/a.git@v1", "git@example.org:group/a.git", "v1"),
        ("git@example.org:a@refs/heads/x", "git@example.org:a", "refs/heads/x"),
    ],
)
def test_network_addresses(text: str, url: str, revision: str | None) -> None:
    assert parse_gitops(text, offline=False) == GitopsSpec(url=url, revision=revision)
    with pytest.raises(InputError, match="--offline"):
        parse_gitops(text, offline=True)


def test_local_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("repo", "a@b", "git@example.org:x"):
        Path(name).mkdir()
    for text, folder, revision in (
        ("repo", "repo", None),
        ("./repo@main", "repo", "main"),
        ("repo@feature/x", "repo", "feature/x"),
        ("repo@HEAD~2^1", "repo", "HEAD~2^1"),
        ("a@b", "a@b", None),
        ("a@b@v1", "a@b", "v1"),
        ("git@example.org:x", "git@example.org:x", None),
    ):
        assert parse_gitops(text, offline=True) == GitopsSpec(folder=Path(folder), revision=revision)
    assert parse_gitops(f"file://{tmp_path}/a%20b@v1", offline=True) == GitopsSpec(
        folder=tmp_path / "a b", revision="v1"
    )
    assert parse_gitops("file://localhost/x", offline=True).revision == "HEAD"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "endereço inválido"),
        ("--upload-pack=x", "endereço inválido"),
        ("a\nb", "endereço inválido"),
        ("https://a\x1b.org/x", "endereço inválido"),
        ("ext::sh -c id", "nomeia um programa"),
        ("fd::7", "nomeia um programa"),
        ("http://example.org/x", "protocolo recusado: http"),
        ("git://example.org/x", "protocolo recusado: git"),
        ("ftp://example.org/x", "protocolo recusado: ftp"),
        ("https://", "endereço inválido"),
        ("https://example.org", "endereço inválido"),
        ("https://example.org/@v1", "endereço inválido"),
        ("https://example.org/a?b", "endereço inválido"),
        ("https://example.org/a#b", "endereço inválido"),
        ("https://example.org:99999/a", "endereço inválido"),
        ("https://-oProxyCommand=id/x", "endereço inválido"),
        ("ssh://-oProxyCommand=id/x", "endereço inválido"),
        ("ssh://-x@example.org/x", "endereço inválido"),
        ("https://[::1/x", "endereço inválido"),
        ("file://outra-maquina/x", "outra máquina"),
        ("https://example.org/x@-rf", "revisão inválida"),
        ("https://example.org/x@a..b", "revisão inválida"),
        ("git@example.org:-x", "não existe"),
        ("git@example.org:x@a:b", "não existe|revisão inválida"),
        ("pasta/que/não/existe@main", "não existe"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        parse_gitops(text, offline=False)
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["https://ana:s3gr3d0@example.org/x", "https://t0k3n@example.org/x@v1", "ssh://a:s3gr3d0@h/x"]
)
def test_a_secret_in_the_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InputError, match="segredo no endereço") as caught:
        parse_gitops(text, offline=False)
    assert "s3gr3d0" not in str(caught.value)
    assert "t0k3n" not in str(caught.value)
