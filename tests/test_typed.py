"""Every line that the documentation tells readers to type: it can be typed, and the tutorials work as written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from typed import PAGES, Block, blocks, commands, in_the_text

from conftest import ROOT


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@cache
def command(*words: str) -> tuple[Any, int]:
    """The command that these words begin with, and how many of them name it."""
    from typer.main import get_command

    from medallion.cli import app

    found: Any = get_command(app)
    for place, word in enumerate(words):
        if not hasattr(found, "commands"):
            return found, place
        assert word in found.commands, f"there is no command {' '.join(words[: place + 1])}"
        found = found.commands[word]
    return found, len(words)


def parses(words: list[str]) -> None:
    """The command line is one that the product takes."""
    shared = {name: option for option in command()[0].params for name in option.opts}
    while words and words[0] in shared:  # options before the command
        words = words[1:] if shared[words[0]].is_flag else words[2:]
    if words and "--help" not in words:
        found, names = command(*[word for word in words[:2] if not word.startswith("-")])
        assert not hasattr(found, "commands"), f"{words}: a command is missing"
        found.make_context(" ".join(words[:names]), words[names:])


def known_options(text: str) -> None:
    """Command and options that a sentence names are there; what stands for a value may be anything."""
    words = text.split()[1:]
    path = [word for word in words[:2] if re.fullmatch(r"[a-z-]+", word) and not word.startswith("-")]
    found, _ = command(*path)
    options = {name for option in found.params for name in (*option.opts, *option.secondary_opts)}
    for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", text):
        assert option in options or option == "--help", f"{text}: there is no {option}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_line_is_one(page):
    recipes = set(re.findall(r"^([a-z][a-z-]*)(?: [^:]*)?:", (ROOT / "justfile").read_text(), re.MULTILINE))
    written = {name for block in blocks(page) if (name := block.file)}
    for block in blocks(page):
        if block.language == "sh":
            for words in (words for line in block.lines for words in commands(line)):
                try:
                    if words[0].rpartition("/")[2] == "medallion":
                        parses(words[1:])
                    elif words[0] == "just":
                        assert words[1] in recipes
                    elif words[0].rpartition("/")[2].startswith("python") and words[1].endswith(".py"):
                        assert (ROOT / words[1]).exists() or words[1] in written
                    elif words[0].startswith(("scripts/", "benchmarks/")):
                        assert (ROOT / words[0]).exists()
                except (Exception, SystemExit) as error:
                    raise AssertionError(f"{named(page)}, block of line {block.line}: {words}: {error!r}") from error
    for text in in_the_text(page):
        try:
            known_options(text)
        except AssertionError as error:
            raise AssertionError(f"{named(page)}: `{text}`: {error}") from error
    for recipe in re.findall(r"`just ([a-z-]+)[^`]*`", page.read_text(encoding="utf-8")):
        assert recipe in recipes, f"{named(page)}: just {recipe}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_snippet_can_be_read(page):
    for block in blocks(page):
        try:
            if block.language == "python":
                compile(block.text, named(page), "exec")
            elif block.language == "yaml":
                yaml.safe_load(block.text)
            elif block.language == "json":
                for document in [block.text] if block.text.count("\n") > 2 else block.lines:
                    json.loads(document)
            else:
                assert block.language, "a block without its language"
        except Exception as error:
            raise AssertionError(f"{named(page)}, block of line {block.line}: {error}") from error


def squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


class Reader:
    """Types what a page says, in a folder and a home of their own, and looks whether it prints what the page says."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.page, self.folder, self.shown = page, folder, ""
        home = folder.parent / "home"
        home.mkdir()
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment = {**os.environ, "HOME": str(home), "PATH": path, "COLUMNS": "120", "TZ": "UTC"}

    def read(self, block: Block) -> None:
        if block.language == "sh":
            self.identifier = (re.findall(r"\b[0-9A-F]{10,16}\b", self.shown) or ["ID"])[0]
            self.shown = ""
            for line in block.lines:
                self.type(line)
        elif block.language == "text" and self.shown and "MEDALLION_TYPED" not in os.environ:
            for line in filter(None, map(squeezed, block.text.splitlines())):
                assert line in self.shown, f"{self.page.name}, line {block.line}: {line!r} is not in\n{self.shown}"
        elif block.file:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text.partition("\n")[2], encoding="utf-8")

    def type(self, line: str) -> None:
        if line.startswith(("git clone", "cd ", "python3 -m venv", ". ", "pip install", "medallion mcp")):
            return  # the environment of the tests has it, .ci/lines types these, and a server does not end
        line = re.sub(r"\bID\b", self.identifier, line)
        done = subprocess.run(
            ["bash", "-c", line], cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=600
        )
        self.shown += "\n".join(map(squeezed, (done.stdout + done.stderr).splitlines())) + "\n"
        if log := os.environ.get("MEDALLION_TYPED"):
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"\n$ {line}\n{done.stdout}{done.stderr}[{done.returncode}]\n")
        else:
            assert done.returncode == 0, f"{self.page.name}: {line}\n{self.shown}"


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["first_run", "your_own_exports", "a_feature_and_a_metric", "an_agent_in_an_mcp_client"]
)
def test_a_tutorial_works_as_written(name, tmp_path):
    checkout = tmp_path / "medallion"
    for part in ("data", "examples", "config"):
        shutil.copytree(ROOT / part, checkout / part)
    page = ROOT / "docs" / "tutorials" / f"{name}.md"
    reader = Reader(page, checkout)
    for block in blocks(page):
        reader.read(block)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
