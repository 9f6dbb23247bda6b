"""Here-documents against bash itself: the same script is read by us and run by bash, and the files are compared."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.module.document import read_document

_BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(_BASH is None, reason="bash is not installed")

# written delimiter → the line that ends the body
_DELIMITERS = {
    "EOF": "EOF",
    "'EOF'": "EOF",
    '"EOF"': "EOF",
    "\\EOF": "EOF",
    "E'O'F": "EOF",
    "'E F'": "E F",
    '"E\\"F"': 'E"F',
    "''": "",
    "END-1.x": "END-1.x",
    "$EOF": "$EOF",
}
_COMMANDS = (
    "cat {here} > {file}",
    "cat > {file} {here}",
    "cat {here} >> {file}",
    "cat - {here} >| {file} # note",
    "tee {file} {here} > /dev/null",
    "tee -a {file} {here} >/dev/null",
    "cat {here} | tee {file} > /dev/null",
    "cat {here} | cat > {file}",
    "(cat {here}) | true; cat {here} > {file}",
    "{{ cat {here} > {file}; }}",
    "cat {here} {here} > {file}",
    "true && cat \\\n  {here} \\\n  > {file}",
)
# words that name no command: where a body ends early bash runs what follows
_TEXTS = (
    "qq",
    "q: zz",
    "  qq",
    "\tqq",
    "\t\tzz",
    "",
    " ",
    "qq\\",
    "\\\\",
    "q\\\\\\",
    "$qq",
    "'",
    "qq' zz'",
    '"',
    "# qq",
)
_ENDS = ("EOF", " EOF", "EOF ", "\tEOF", "EOFF", "E F", 'E"F', "EO\\", "F", "END-1.x", "$EOF")


@st.composite
def _scripts(draw: st.DrawFn) -> str:
    lines = []
    for _ in range(draw(st.integers(1, 3))):
        delimiter = draw(st.sampled_from(sorted(_DELIMITERS)))
        operator = draw(st.sampled_from(["<<", "<<-", "<< "]))
        file = draw(st.sampled_from(["f", "g.yaml", "'a b'", '"c"d']))
        command = draw(st.sampled_from(_COMMANDS))
        lines.append(command.format(here=operator + delimiter, file=file))
        for _ in range(command.count("{here}")):
            lines += draw(st.lists(st.sampled_from(_TEXTS + _ENDS), max_size=5))
            lines += [_DELIMITERS[delimiter]] if draw(st.integers(0, 9)) else []
    return "\n".join(lines) + "\n"


def _run(script: str) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as file:
        file.write(script.encode())
        file.flush()
        subprocess.run(
            [str(_BASH), "--norc", "--noprofile", file.name],
            cwd=folder,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            timeout=20,
        )
        return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


@settings(max_examples=250, deadline=None)
@given(script=_scripts(), indent=st.sampled_from(["", "    "]))
def test_files_are_those_that_bash_writes(script: str, indent: str) -> None:
    body = "".join(f"{indent}{line}\n" if line else "\n" for line in f"```bash\n{script}```".split("\n"))
    document = read_document(("1.  x\n\n" * bool(indent) + body).encode(), path="m.md")
    # what we report as expanding, or as written by another command (a "qq\\" can join the next word), we do not claim
    unclaimed = {problem.path for problem in document.problems if problem.code in ("expansion", "unsupported")}
    own = {file.path: file.content for file in document.files if file.path not in unclaimed}
    assert own == {path: content for path, content in _run(script).items() if path not in unclaimed}
