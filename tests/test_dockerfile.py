"""The Dockerfile: what it copies is there and not ignored, and it runs for a user without rights."""

from __future__ import annotations

import os
import pwd
import re

import pytest

from conftest import ROOT
from medallion.cli.command import user

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IGNORED = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()


def test_what_it_copies_is_there_and_let_through():
    copied = [word for words in re.findall(r"^COPY (?!--from)(.*) \S+$", TEXT, re.MULTILINE) for word in words.split()]
    assert copied == ["config/requirements.lock", "pyproject.toml", "README.md", "LICENSE", "src"]
    for name in copied:
        assert (ROOT / name).exists()
        assert f"!{name}" in IGNORED
    assert IGNORED[1] == "*"


def test_it_runs_without_rights_and_installs_only_what_the_lock_has():
    last = TEXT.split("\nFROM ")[-1]
    assert re.search(r"^USER [1-9]\d+$", last, re.MULTILINE)
    assert "pip" not in last
    installs = re.findall(r"pip install (.*)", TEXT)
    assert all("--require-hashes -r" in line or "--no-deps" in line for line in installs)


def test_a_user_without_a_name_is_a_number(monkeypatch):
    """As `docker run --user` starts it."""

    def nobody(uid):
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert user("ann") == "ann"
    assert user(None) == f"uid {os.getuid()}"


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
