from __future__ import annotations

import pytest

from pipeline.domain.snapshot import Document
from pipeline.module.document import read_document


def run(script: str) -> Document:
    """Read a document whose only fence is the script; its first line is line 2."""
    return read_document(f"```bash\n{script}\n```\n".encode(), path="m.md")


def write(target: str, body: str = "x", operator: str = ">") -> str:
    return f"cat {operator} {target} <<'E'\n{body}\nE\n"


def paths(document: Document) -> list[str]:
    return [file.path for file in document.files]


def found(document: Document) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.document_line) for problem in document.problems]


@pytest.mark.parametrize(
    "target",
    [
        "/etc/cron.d/x",
        "../x",
        "../../x",
        "a/../../x",
        "..",
        "~/x",
        "~root/x",
        '"~/x"',
        "$HOME/x",
        '"$HOME"/../x',
        "'$x'",
        "`pwd`/x",
        "$(pwd)/x",
        "${X}",
        "a\\\\b",
        "'a\\b'",
        "C:x",
        "'C:/x'",
        "x.",
        "'x '",
        "'a /b'",
        "a./b",
        ".git/config",
        "a/.GIT/hooks/x",
        "*.yaml",
        "x{1,2}",
        "a?",
        "'a\tb'",
        "'a\x1bb'",
        "a\u202eb",
        "a\u200bb",
        "x" * 256,
        "x/" * 600 + "y",
        ".",
        "./",
        "é" * 128,
    ],
)
def test_unsafe_targets_are_findings_and_the_rest_goes_on(target: str) -> None:
    document = run(write(target) + write("ok"))
    assert found(document) == [("unsafe-target", 2)]
    assert paths(document) == ["ok"]
    assert "\x1b" not in document.problems[0].message
    assert len(document.problems[0].message) < 300


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("a//b", "a/b"),
        ("./a", "a"),
        ("a/.", "a"),
        ("a/../b", "b"),
        ("'a b.yaml'", "a b.yaml"),
        ('"a b.yaml"', "a b.yaml"),
        ("a\\ b.yaml", "a b.yaml"),
        (".gitignore", ".gitignore"),
        ("'a*b'", "a*b"),
        ("..a/b..c", "..a/b..c"),
    ],
)
def test_normalised_targets(target: str, path: str) -> None:
    document = run(write(target))
    assert paths(document) == [path]
    assert document.problems == ()


@pytest.mark.parametrize(("one", "two"), [("A.yaml", "a.yaml"), ("caf\u00e9", "cafe\u0301"), ("x/A", "X/a")])
def test_twins_collide_and_are_kept_apart(one: str, two: str) -> None:
    document = run(write(one) + write(two))
    assert paths(document) == [one, two]
    assert found(document) == [("collision", 5)]


def test_a_file_cannot_be_a_folder() -> None:
    assert found(run(write("a") + write("a/b"))) == [("conflict", 5)]
    assert found(run(write("a/b") + write("a"))) == [("conflict", 5)]


def test_the_last_of_two_contents_wins() -> None:
    document = run(write("f", "1") + write("f", "1") + write("f", "2"))
    assert [file.content for file in document.files] == [b"2\n"]
    assert found(document) == [("conflict", 8)]
    assert "linhas 2 e 8" in document.problems[0].message


def test_append_adds_a_segment_and_creates() -> None:
    document = run(write("f", "1\n2") + write("f", "3", ">>") + write("g", "4", ">>"))
    first, second = document.files
    assert (first.content, second.content) == (b"1\n2\n3\n", b"4\n")
    assert [(item.first_line, item.line_count, item.document_line) for item in first.segments] == [(1, 2, 3), (3, 1, 7)]
    assert first.document_line(3) == 7
    assert document.problems == ()


def test_an_unquoted_delimiter_that_expands_is_reported_and_kept() -> None:
    document = run(
        "cat > a <<E\n$x\nE\ncat > b <<E\nplain\nE\nkubectl apply -f - <<E\nservices: `x`\nE\ncat > c <<'E'\n$x\nE"
    )
    assert found(document) == [("expansion", 2), ("expansion", 8)]
    assert [(file.path, file.expands) for file in document.files] == [
        ("a", True),
        ("b", True),
        ("doc@9", True),
        ("c", False),
    ]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("cat <<E > f\nx\nE", ["f"]),
        ("sudo tee f > /dev/null <<E\nx\nE", ["f"]),
        ("sudo -u root -E tee -a f <<E\nx\nE", ["f"]),
        ("tee f g <<E\nx\nE", ["f", "g"]),
        ("tee f > g <<E\nx\nE", ["f", "g"]),
        ("env A=1 B=2 /bin/cat > f <<E\nx\nE", ["f"]),
        ("A=1 cat - > f <<E\nx\nE", ["f"]),
        ("cat <<E | sudo tee f\nx\nE", ["f"]),
        ("cat <<E | tee f | kubectl apply -f -\nx\nE", ["f"]),
        ("$ cat > f <<E\nx\nE", ["f"]),
        ("(cd a; cat > f <<E\nx\nE\n)\ncat > g <<E\nx\nE", ["a/f", "g"]),
        ("cat > f <<E; cat > g <<F\nx\nE\ny\nF", ["f", "g"]),
        ("if true; then\ncat > f <<E\nx\nE\nfi", ["f"]),
        ("cat > /dev/null <<E\nx\nE", []),
        ("a < <(b) 2> err >&2", []),
        ("ls > /tmp/x; ls > /dev/null; ls >> $LOG", []),
    ],
)
def test_forms_that_are_read(script: str, expected: list[str]) -> None:
    document = run(script)
    assert paths(document) == expected
    assert document.problems == ()


@pytest.mark.parametrize(
    "script",
    [
        "echo x > f",
        "printf x >> f.yaml",
        "echo x | tee f",
        "echo x | sudo tee -a f > /dev/null",
        "cat a b > f",
        "> f",
        ": > f",
        "{ echo a; } > f",
        "for x in 1; do echo; done > f",
        "(echo) > f",
        "cat > f <<< x",
        "cat > f < g",
        "echo A=1 >> /opt/appgear/.env",
        "echo x > $DIR/a.yaml",
        "bash -c 'echo x > f.yaml'",
        "sudo sh -c 'echo | tee f.yaml'",
        "bash <<'E'\necho x > f.yaml\nE",
        "cat x - > f <<'E'\nE",
        "ls &> f",
        "ls >& f",
        "sed s/a/b/ > f <<'E'\nx\nE",
        "cat <<'E' | sed s/a/b/ > f\nx\nE",
        "eval 'echo > f'",
    ],
)
def test_forms_that_are_not_read_are_reported(script: str) -> None:
    document = run(script)
    assert found(document) == [("unsupported", 2)]
    assert document.files == ()


def test_only_the_last_output_gets_the_content() -> None:
    document = run("cat > a > b <<'E'\nx\nE")
    assert paths(document) == ["b"]
    assert found(document) == [("unsupported", 2)]


def test_a_placeholder_in_a_target_is_kept_and_reported() -> None:
    document = run(write("clusters/ag-<regiao>-<env>/x.yaml"))
    assert paths(document) == ["clusters/ag-<regiao>-<env>/x.yaml"]
    assert found(document) == [("unsupported", 2)]
    assert run("argocd app get <env>-core").problems == ()


def test_unclosed_is_reported_and_kept() -> None:
    document = run("cat > f <<E\nx")
    assert paths(document) == ["f"]
    assert found(document) == [("unclosed", 2)]


def test_an_unsafe_manifest_is_still_a_fragment() -> None:
    document = run(write("/opt/x.yaml", "apiVersion: v1\nkind: Secret"))
    assert [(file.path, file.fragment) for file in document.files] == [("doc@3", True)]
    assert found(document) == [("unsafe-target", 2)]


@pytest.mark.parametrize(
    ("steps", "directory"),
    [
        ("cd appgear-gitops-core", ""),
        ("cd appgear-gitops-core/apps/core", "apps/core"),
        ("cd apps; cd core", "apps/core"),
        ("cd apps/core; cd ..", "apps"),
        ("cd ./apps//core/../x/.", "apps/x"),
        ("cd apps; cd appgear-backstage", ""),
        ("mkdir -p apps/appgear-x; cd apps; cd appgear-x", "apps/appgear-x"),
        ("cd ..", ".."),
        ("cd ../appgear-docs", ""),
        ("cd a/b; cd ../../../appgear-docs/x", "x"),
        ("git clone --depth 1 https://h/org/portal.git; cd portal; cd src", "src"),
        ("git clone git@h:portal.git web; cd web", ""),
        ("git clone -b main git@h:portal; cd portal", ""),
        ("cd portal", "portal"),
        ("cd /opt/appgear/x", "/opt/appgear/x"),
        ("cd /opt/appgear; cd x/../y", "/opt/appgear/y"),
        ("cd /opt/appgear; cd appgear-gitops-core/apps", "apps"),
        ("cd appgear-x; cd ~/src/appgear-x/apps", "apps"),
        ("cd /", "/"),
        ("cd", "~"),
        ("cd ~; cd x", "~/x"),
        ('cd "$REPO"', "$REPO"),
        ("cd a; cd b; cd -", "a"),
        ("pushd a; pushd b; popd", "a"),
        ("popd; pushd", ""),
        ("mkdir -p a/b && cd $_", "a/b"),
        ("mkdir -p ../x /y; cd a", "a"),
        ("cd a || exit 1", "a"),
        ("true || cd a", ""),
        ("cd a | cat", ""),
        ("cd a & true", ""),
        ("(cd a)", ""),
        ("x=$(cd a; pwd)", ""),
        ("cd -P -- a", "a"),
        ("cd " + "x" * 2000, ""),
        ("git clone", ""),
    ],
)
def test_folders(steps: str, directory: str) -> None:
    document = run(f"{steps}\nlast")
    assert document.commands[-1].directory == directory


def test_the_folder_carries_over_between_fences_and_subshells_end_with_them() -> None:
    text = "```sh\ncd a\n( cd b; echo 'x\n```\n```sh\nls\n```\n"
    document = read_document(text.encode(), path="m.md")
    assert document.commands[-1].directory == "a"


def test_files_outside_the_tree_keep_their_name_and_folder() -> None:
    document = run("cd /opt/appgear/x\n" + write("conf/../.env") + write("../y"))
    assert [(file.path, file.directory) for file in document.files] == [(".env", "/opt/appgear/x")]
    assert [problem.code for problem in document.problems] == ["unsafe-target"]


def test_equal_names_in_different_folders_are_different_files() -> None:
    one, two = "cd /opt/appgear/a\n" + write(".env", "1"), "cd /opt/appgear/b\n" + write(".env", "2")
    document = run(one + two + write(".env", "3", ">>"))
    assert [(file.path, file.content) for file in document.files] == [
        (".env", b"1\n"),
        ("opt/appgear/b/.env", b"2\n3\n"),
    ]
    assert document.problems == ()


def test_the_file_of_the_tree_keeps_its_name() -> None:
    document = run("cd '$X/..'\n" + write(".env", "1") + "cd appgear-gitops\n" + write(".env", "2"))
    assert [(file.path, file.content) for file in document.files] == [("_X/.env", b"1\n"), (".env", b"2\n")]


def test_a_labelled_fence_means_the_file_that_has_its_path() -> None:
    heredoc = "```sh\ncd /opt/x\ncat > .env <<'E'\nA=1\nE\n```\n"
    same = read_document(f"{heredoc}`.env`:\n```dotenv\nA=1\n```\n".encode(), path="m.md")
    other = read_document(f"{heredoc}`.env`:\n```dotenv\nA=2\n```\n".encode(), path="m.md")
    assert (paths(same), found(same)) == ([".env"], [])
    assert (paths(other), found(other)) == ([".env"], [("conflict", 8)])


def test_prompts_are_no_words() -> None:
    (command,) = run("$ kubectl get pods").commands
    assert (command.text, command.words) == ("kubectl get pods", ("kubectl", "get", "pods"))
