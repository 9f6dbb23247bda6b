"""Keys that are used and never read: a PKCS#11 token of SoftHSM, and what is said where one cannot be reached."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from securesystemslib.signer import Key, Signature, Signer, SSlibKey

from evidencekit import PIPELINE, key, trust_text
from packplace import EPOCH, Place
from pinnedenv import pinned_environment
from pipeline.adapters.artifacts import open_artifacts
from pipeline.adapters.keys import KEY_SCHEMES, find_key, has_key, is_address, key_bytes
from pipeline.adapters.remotekeys import open_signer
from pipeline.codec import dump_json
from pipeline.errors import ExitCode, IntegrityError, ToolError, UsageError
from pipeline.evidence.envelope import bundle_digest, held_key, key_of, sign_statement
from pipeline.store import Store
from trailcli import ROOT, Ran, appgear

LOCK = Path(__file__).parent / "pkcs11" / "requirements.txt"
LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
PIN = "4711"
# What docs/evidencias.md tells the owner of a token to do; pkcs11-tool exports P-256 alone.
_EXPORT = """
from securesystemslib.signer import HSMSigner
print(HSMSigner.import_(2, "esteira", lambda _name: "4711")[1].keyval["public"])
"""


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token with one key pair, and what a process needs to reach it."""

    address: str
    public: Path
    environment: Mapping[str, str]

    def run(self, place: Place, command: str, *arguments: str | Path, **variables: str) -> Ran:
        given = (command, *arguments, "--artifacts", place.artifacts.root)
        return appgear(*given, cwd=place.root, env={**EPOCH, **self.environment, **variables})

    def pack(self, place: Place, *arguments: str | Path, **variables: str) -> Ran:
        named = ("--module", place.module, "--key", self.address, "--public-key", self.public)
        return self.run(place, "evidencias", *named, *arguments, **variables)


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Token:
    return _token("prime256v1", tmp_path_factory.mktemp("token"))


def _token(curve: str, folder: Path) -> Token:
    """A real token in software, initialised as its owner would."""
    library = next((each for each in LIBRARIES if Path(each).is_file()), None)
    missing = [name for name in ("softhsm2-util", "pkcs11-tool") if shutil.which(name) is None]
    if library is None or missing:
        pytest.skip("needs SoftHSM: apt-get install -y softhsm2 opensc")
    packages = pinned_environment(LOCK, "pkcs11") / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
    environment = {
        "SOFTHSM2_CONF": str(folder / "softhsm2.conf"),
        "PYKCS11LIB": library,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{packages}",
        "APPGEAR_KEY_PIN": PIN,
    }
    tool = ("pkcs11-tool", "--module", library, "--token-label", "esteira", "--login", "--pin", PIN)
    _tool(environment, "softhsm2-util", "--init-token", "--free", "--label", "esteira", "--pin", PIN, "--so-pin", PIN)
    _tool(environment, *tool, "--keypairgen", "--key-type", f"EC:{curve}", "--id", "02", "--label", "pacotes")
    exported = _tool(environment, sys.executable, "-c", _EXPORT)
    public = folder / "pub.pem"
    public.write_text(exported)
    return Token(address="hsm:2?label=esteira", public=public, environment=environment)


def _tool(environment: Mapping[str, str], *command: str) -> str:
    done = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def packed(token: Token, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return _packed(token, tmp_path_factory.mktemp("token-pack"))


def _packed(token: Token, folder: Path) -> Place:
    place = Place(folder)
    made = token.pack(place)
    assert place.zip.is_file(), made.err
    place.trust.write_text(trust_text().replace(key(PIPELINE).public_pem.decode(), token.public.read_text()))
    return place


def test_a_token_signs_a_pack_that_verifies(packed: Place, tmp_path: Path) -> None:
    for path in (packed.zip, packed.artifacts.root, packed.extract(tmp_path / "copy")):
        done = packed.verify(path)
        assert (done.code, done.err) == (0, ""), path
    damaged = tmp_path / "copy" / "SHA256SUMS.dsse.json"
    damaged.write_bytes(damaged.read_bytes().replace(b'"sig": "ME', b'"sig": "MF'))
    assert packed.verify(tmp_path / "copy").code == ExitCode.INTEGRITY
    packed.trust.with_name("other.toml").write_text(trust_text())
    other = packed.run("verificar", packed.zip, "--trust", packed.root / "other.toml", "--strict")
    assert "não está em [pipeline]" in other.err


def _follow(folder: Path, public: Path) -> subprocess.CompletedProcess[str]:
    """VERIFICAR.md, with a key from outside."""
    needed = [name for name in ("sha256sum", "openssl", "jq", "bash") if shutil.which(name) is None]
    if needed:
        pytest.skip(f"needs {', '.join(needed)}")
    text = (folder / "VERIFICAR.md").read_text(encoding="utf-8")
    script = "\n".join(part.partition("```")[0] for part in text.split("```sh\n")[1:])
    return subprocess.run(
        ["bash", "-e", "-c", script], cwd=folder, capture_output=True, text=True, check=False, timeout=60,
        env={"PATH": os.environ["PATH"], "CHAVE": str(public), "PESSOAS": str(folder.parent)},
    )  # fmt: skip


def test_a_stranger_checks_a_tokens_signature_by_the_recipe(packed: Place, token: Token, tmp_path: Path) -> None:
    folder = packed.extract(tmp_path / "copy")
    done = _follow(folder, token.public)
    assert done.stdout.endswith("PACOTE ÍNTEGRO\n"), done.stderr
    stranger = tmp_path / "stranger.pem"
    stranger.write_bytes(_public(ec.SECP256R1()))
    assert _follow(folder, stranger).returncode != 0


def test_a_key_over_p_384_is_as_good(tmp_path: Path) -> None:
    (tmp_path / "token").mkdir()
    (tmp_path / "place").mkdir()
    token = _token("secp384r1", tmp_path / "token")
    place = _packed(token, tmp_path / "place")
    assert place.verify(place.zip).code == 0
    assert _follow(place.extract(tmp_path / "copy"), token.public).stdout.endswith("PACOTE ÍNTEGRO\n")


def test_a_person_decides_with_a_token(packed: Place, token: Token) -> None:
    ana = trust_text().replace(key(1).public_pem.decode(), token.public.read_text())
    trust = packed.root / "people.toml"
    trust.write_text(ana)
    named = ("--key", token.address, "--public-key", token.public, "--trust", trust)
    said = token.run(packed, "rapid", "recommend", "--person", "ana", "--decision", "liberar", *named)
    assert "Ana Souza, liberar até" in said.out, said.err
    assert "assinada e verificada" in said.out


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"APPGEAR_KEY_PIN": ""}, "falta a senha da chave — defina APPGEAR_KEY_PIN"),
        ({"APPGEAR_KEY_PIN": "errada"}, "a chave não pôde assinar (PinIncorrect"),
        ({"PYKCS11LIB": "/nao/existe.so"}, "a chave não pôde assinar"),
        ({"PYTHONPATH": str(ROOT)}, 'falta a biblioteca deste tipo de chave — pip install "securesystemslib[hsm]"'),
    ],
)
def test_a_token_out_of_reach_is_told_in_one_line(
    variables: dict[str, str], said: str, token: Token, tmp_path: Path
) -> None:
    place = Place(tmp_path)
    done = token.pack(place, **variables)
    assert done.code in {ExitCode.USAGE, ExitCode.TOOL}
    assert said in done.err.replace(f"{token.address}: ", "")
    assert not place.zip.exists()


def test_a_public_key_of_another_is_noticed_before_anything_is_published(token: Token, tmp_path: Path) -> None:
    place = Place(tmp_path)
    other = tmp_path / "other.pem"
    other.write_bytes(_public(ec.SECP256R1()))
    done = token.run(place, "evidencias", "--module", place.module, "--key", token.address, "--public-key", other)
    assert done.code in {ExitCode.INTEGRITY, ExitCode.TOOL}
    assert not place.zip.exists()


def _public(curve: ec.EllipticCurve) -> bytes:
    public = ec.generate_private_key(curve).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


# --- what needs no token


def test_an_address_needs_its_public_key_and_a_service_the_network(tmp_path: Path) -> None:
    place = Place(tmp_path)
    named = ("evidencias", "--module", place.module, "--key")
    without = place.run(*named, "gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1")
    assert without.code == ExitCode.USAGE
    assert "indique-a com --public-key" in without.err
    (tmp_path / "p.pem").write_bytes(_public(ec.SECP256R1()))
    offline = place.run(
        *named,
        "gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
        "--public-key",
        tmp_path / "p.pem",
        "--offline",
    )
    assert offline.code == ExitCode.INPUT
    assert "a chave está em um serviço de rede" in offline.err
    absent = place.run(
        *named,
        "gcpkms:projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1",
        "--public-key",
        tmp_path / "p.pem",
    )
    assert absent.code == ExitCode.TOOL
    assert "securesystemslib[gcpkms]" in absent.err
    (tmp_path / "p.pem").write_text("nada")
    assert "não é uma chave pública" in place.run(*named, "hsm:", "--public-key", tmp_path / "p.pem").err


@pytest.mark.parametrize("address", ["hsm:x", "hsm:2"])
def test_a_bad_address_and_a_missing_library_are_told(address: str) -> None:
    with pytest.raises((UsageError, ToolError)):
        open_signer(address, key_of(_public(ec.SECP256R1())), {}, offline=False)


def test_names_files_descriptors_variables_and_addresses_apart() -> None:
    assert all(is_address(f"{scheme}:x") for scheme in KEY_SCHEMES)
    assert not any(is_address(name) for name in (None, "hsm", "./hsm:2", "fd:3", "env:CHAVE", "/a/b.pem", "file:x"))
    held = key(1)
    pem = "-----BEGIN"
    assert find_key("env:CHAVE", {"CHAVE": pem}).pem == pem.encode()
    with pytest.raises(UsageError, match="está vazia"):
        find_key("env:CHAVE", {})
    assert has_key("hsm:2", {})
    assert key_bytes("hsm:2", {}) is None
    assert key_bytes("env:CHAVE", {"CHAVE": pem}) == pem.encode()
    assert held.keyid == key_of(held.public_pem).keyid


def test_only_known_kinds_of_keys_count() -> None:
    for curve in (ec.SECP256R1(), ec.SECP384R1()):
        assert len(key_of(_public(curve)).keyid) == 64
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    for pem in (_public(ec.SECP521R1()), other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)):
        with pytest.raises(ValueError, match="Ed25519, P-256 ou P-384"):
            key_of(pem)


def test_a_signer_that_holds_another_key_is_refused() -> None:
    with pytest.raises(IntegrityError, match="não confere com a chave pública"):
        sign_statement({"a": 1}, _Liar())
    assert held_key(key(1).signer, key(1).public_pem).keyid == key(1).keyid


class _Liar(Signer):
    """Signs with one key under the name of another."""

    @property
    def public_key(self) -> SSlibKey:
        return key_of(key(2).public_pem)

    @classmethod
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Key, secrets_handler: object = None) -> Signer:
        raise NotImplementedError

    def sign(self, payload: bytes) -> Signature:
        signed = key(1).signer.sign(payload)
        return Signature(self.public_key.keyid, signed.signature)


def test_a_bundle_must_speak_of_this_manifest(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.pack()
    root = hashlib.sha256((place.artifacts.folder / "manifest.json").read_bytes())
    for digest, code, said in (
        (root.digest(), ExitCode.OK, "confira com `sigstore verify`"),
        (bytes(32), ExitCode.INTEGRITY, "não fala deste manifesto"),
    ):
        message = {"messageDigest": {"algorithm": "SHA2_256", "digest": base64.b64encode(digest).decode()}}
        bundle = dump_json({"messageSignature": message})
        with open_artifacts(place.artifacts.root) as folder:
            files = {"manifest.sigstore.json": bundle}
            Store(folder).publish(place.artifacts.run, "reports", files, stage="test", supersedes=files)
        done = place.run("verificar", place.artifacts.root)
        assert done.code == code
        assert said in done.out + done.err
    place.pack("--no-cache")
    assert not list(place.extract(tmp_path / "copy").rglob("manifest.sigstore.json"))  # it is of no manifest of ours
    for data in (b"", b"[]", b'{"messageSignature": {"messageDigest": {"algorithm": "MD5", "digest": ""}}}'):
        assert bundle_digest(data) is None


def test_keyless_says_what_it_lacks(tmp_path: Path) -> None:
    place = Place(tmp_path)
    offline = place.pack("--keyless", "--offline")
    assert offline.code == ExitCode.INPUT
    assert "--keyless precisa de rede" in offline.err
    absent = place.pack("--keyless")
    assert absent.code == ExitCode.TOOL
    assert "extra sigstore" in absent.err or "não achou identidade" in absent.err
    assert not place.zip.exists()
