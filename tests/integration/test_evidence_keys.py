"""Keys on a real disk: found in the agreed order, made once, refused where others can read them."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evidencekit import private_pem
from pipeline.adapters.keys import find_key
from pipeline.errors import InputError, UsageError


def stored(path: Path, mode: int = 0o600) -> Path:
    path.write_bytes(private_pem(1))
    path.chmod(mode)
    return path


def test_it_is_made_at_first_use_and_found_again(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path)}
    made = find_key(None, environment)
    again = find_key(None, environment)
    path = tmp_path / ".config" / "appgear-pipeline" / "key.pem"
    assert (made.made, again.made, again.pem) == (True, False, made.pem)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [each.name for each in path.parent.iterdir()] == ["key.pem"]
    assert "PRIVATE" not in repr(made)


def test_xdg_comes_before_home_and_a_relative_one_does_not_count(tmp_path: Path) -> None:
    assert str(tmp_path / "xdg") in find_key(None, {"HOME": "/nowhere", "XDG_CONFIG_HOME": str(tmp_path / "xdg")}).place
    assert str(tmp_path) in find_key(None, {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "xdg"}).place


def test_the_option_comes_before_the_variable(tmp_path: Path) -> None:
    first, second = stored(tmp_path / "a.pem"), stored(tmp_path / "b.pem")
    environment = {"APPGEAR_KEY_FILE": str(second)}
    assert find_key(str(first), environment).place == str(first)
    assert find_key(None, environment).place == str(second)


def test_a_descriptor_hands_over_a_key_without_a_name(tmp_path: Path) -> None:
    with stored(tmp_path / "a.pem").open("rb") as stream:
        assert find_key(f"fd:{stream.fileno()}", {}).pem == private_pem(1)
    with pytest.raises(UsageError, match="fd:N"):
        find_key("fd:x", {})
    with pytest.raises((InputError, Exception), match="fd:999"):
        find_key("fd:999", {})


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(InputError, match="chmod 600"):
        find_key(str(stored(tmp_path / "a.pem", mode)), {})


def test_links_and_missing_files_are_refused(tmp_path: Path) -> None:
    stored(tmp_path / "a.pem")
    (tmp_path / "link.pem").symlink_to("a.pem")
    for name in ("link.pem", "missing.pem"):
        with pytest.raises(InputError, match=name):
            find_key(str(tmp_path / name), {})


def test_without_a_home_the_key_must_be_named() -> None:
    with pytest.raises(UsageError, match="--key"):
        find_key(None, {})


def test_many_first_uses_at_once_end_with_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(lambda _: find_key(None, {"HOME": str(tmp_path)}), range(16)))
    assert len({each.pem for each in keys}) == 1
    assert sum(each.made for each in keys) == 1
    assert [each.name for each in (tmp_path / ".config" / "appgear-pipeline").iterdir()] == ["key.pem"]
