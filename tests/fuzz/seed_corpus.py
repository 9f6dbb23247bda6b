"""Writes the seeds of the corpus again: small inputs that reach the parsers' parts."""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from fuzz_targets import CORPUS  # noqa: E402  # needs the path above

from pipeline.adapters.archive import write_archive  # noqa: E402
from pipeline.ledger import Execution, build_line, dump_record, parse_ledger  # noqa: E402

_MARKDOWN = """# Módulo 00 – Exemplo v0.1

## 1. Arquivos

```bash
mkdir -p apps/a && cd apps/a
cat > s.yaml <<'EOF'
apiVersion: v1
kind: Service
EOF
cat >> s.yaml <<-FIM
	metadata: {name: a}
	FIM
tee -a b.env <<EOF
A=$HOME
EOF
```

`apps/b/c.yaml`:

```yaml
a: &x {b: [1, 2]}
c: *x
```

~~~json
{"a": 1}
~~~

| a | b |
| --- | --- |
"""
_YAML = """%YAML 1.2
---
a: &x {b: [1, '2', "\\u00e9", ~, .inf, 0o17, 12:34:56, no]}
"c d": *x
e: |2-
    texto
  fim
f: >+
  dobrado

? g
: - h
  - !!str i
...
---
# só comentário
"""
_APPSET = """apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: s, namespace: argocd}
spec:
  goTemplate: true
  goTemplateOptions: [missingkey=error]
  generators:
    - list:
        elements:
          - {name: a, num: 1.5, sync: true, l: [x, y]}
        template: {metadata: {}, spec: {project: p, destination: {}}}
  templatePatch: |
    {{ if .sync }}
    spec: {source: {helm: {valuesObject: {q: {{ .num | int }}}}}}
    {{- end }}
  template:
    metadata: {name: '{{ .name | upper | lower }}-{{ len .l }}'}
    spec:
      project: '{{ .name | default "x" }}'
      destination: {server: https://k, namespace: '{{ range $i, $e := .l }}{{ $e }}{{ end }}'}
      source: {repoURL: r, path: 'apps/{{ printf "%s-%v" .name .num | trunc 5 }}'}
"""
_PLAIN_APPSET = """apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: s}
spec:
  generators:
    - list: {elements: [{name: a, values: {x: why}}]}
  template:
    metadata: {name: '{{name}}', labels: {l: '{{values.x}}'}}
    spec: {project: p, destination: {name: in-cluster, namespace: ns}, source: {repoURL: r, path: '{{name}}'}}
"""


def _index(lines: int) -> bytes:
    data = b""
    for number in range(1, lines + 1):
        moment = datetime(2026, 1, number, tzinfo=UTC)
        execution = Execution(
            run=f"m00-{number:016x}", module="M00", command="pipeline", pipeline="local", branch="main",
            commit="c" * 40, verdict="aprovado", manifest_sha256=None, started=moment, finished=moment,
            details={}, retention_days=90,
        )  # fmt: skip
        record = dump_record(execution, number)
        data += build_line(execution, parse_ledger(data), record=record, recovered=None)
    return data


def _archive() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.zip"
        write_archive(path, [("a.txt", b"a\n"), ("pasta/\u00e9.json", b"{}\n"), ("vazio", b"")])
        return path.read_bytes()


def main() -> None:
    seeds = {
        "markdown": [_MARKDOWN.encode(), b"\xef\xbb\xbf# A\r\n```sh\r\ncat <<X > a\r\nb\r\nX\r\n```\r\n"],
        "yaml": [_YAML.encode(), b"{a: [b, {c: d}]}", b"a:\tb\n", b"- " * 60],
        "appset": [_APPSET.encode(), _PLAIN_APPSET.encode()],
        "archive": [_archive()],
        "index": [_index(1), _index(3), _index(2)[:-1], _index(2) + b'{"schema_version"'],
    }
    for name, contents in seeds.items():
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(contents):
            (CORPUS / name / f"seed-{number}").write_bytes(data)


if __name__ == "__main__":
    main()
