"""Whoever keeps a lakehouse is told: what, by whom, and that a hook that fails changes nothing else."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import ClassVar

import pytest
import yaml
from typer.testing import CliRunner

from conftest import NOW
from medallion.care import notices
from medallion.cli import app
from medallion.config import Notify, load
from medallion.errors import ContractError, SourceError
from medallion.learning.monitor import KEEP, RETRAIN, Watch
from medallion.pipeline.result import Result
from medallion.sources import Refusal

HOSTILE = "leads'; $(touch broken) `touch broken` \n<!channel>.csv"


def refusal(name):
    return Refusal(name, "leads", "cannot be read as an amount: '$(touch broken)'", "Correct it.")


def result(**lists):
    return Result(run_id="r1", as_of=date(2025, 6, 30), **lists)


@pytest.fixture
def kept(tmp_path):
    """A program that keeps what it is given: its arguments and its standard input."""
    program = tmp_path / "keep.py"
    program.write_text(
        "import pathlib, sys\n"
        f"pathlib.Path({str(tmp_path / 'kept.json')!r}).write_text(sys.stdin.read())\n"
        f"pathlib.Path({str(tmp_path / 'words')!r}).write_text(repr(sys.argv[1:]))\n"
    )
    return tmp_path, (sys.executable, str(program), "a b", "$HOME")


class Hooks(BaseHTTPRequestHandler):
    """An address that takes messages; `/away` sends on, `/broken` fails, `/slow` does not answer."""

    came: ClassVar[list[tuple[str, dict[str, str], bytes]]] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.came.append((self.path, dict(self.headers), body))
        if self.path == "/slow":
            time.sleep(1)
        self.send_response({"/away": 302, "/broken": 500}.get(self.path, 204))
        if self.path == "/away":
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def hooks():
    server = HTTPServer(("127.0.0.1", 0), Hooks)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    Hooks.came = []
    yield SimpleNamespace(address=f"http://127.0.0.1:{server.server_port}", came=Hooks.came)
    server.shutdown()
    server.server_close()


def test_a_program_gets_the_message_as_json_and_no_shell_sees_it(kept):
    folder, command = kept
    notice = notices.of_run(result(held=[refusal(HOSTILE)], missing_columns={"a.csv": ["owner"]}))
    assert notices.send(Notify(command=command), notice, "lake", NOW) == []
    message = json.loads((folder / "kept.json").read_text())
    assert (
        message["text"] == "medallion run: 1 file is held back; 1 file lacks columns that the one before it had (lake)"
    )
    assert message["events"] == ["held", "drift"]
    assert message["files"] == [{"what": "held back", "file": HOSTILE}, {"what": "columns missing", "file": "a.csv"}]
    assert (folder / "words").read_text() == repr(["a b", "$HOME"])
    assert not (folder / "broken").exists()


@pytest.mark.parametrize("details", [False, True])
def test_what_quotes_a_cell_is_told_only_on_demand(details):
    for notice in (
        notices.of_run(result(refused=[refusal("a.csv")], poor=[refusal("b.csv"), refusal("c.csv")])),
        notices.of_error("run", SourceError("a.csv: '$(touch broken)' is no date", "Correct it.")),
        notices.of_error("run", ValueError("$(touch broken)")),
    ):
        message = notice.document("lake", NOW, details=details)
        assert message["events"] == ["failure"]
        assert ("touch" in json.dumps(message)) == details
        assert "touch" not in message["text"]


def test_nothing_is_told_where_all_is_well_or_nobody_asks_for_it(kept):
    folder, command = kept
    assert notices.of_run(result(files=["a.csv"], accounts=[{"quarantined": 3}])) is None
    assert notices.of_watch(Watch(date(2025, 6, 30), "v1", recommendation=KEEP)) is None
    assert notices.of_watch(Watch(date(2025, 6, 30), None, recommendation="train")) is None
    found = notices.of_watch(Watch(date(2025, 6, 30), "v1", recommendation=RETRAIN, because=["it moved"]))
    assert notices.send(Notify(command=command, on=("failure", "held")), found, "lake", NOW) == []
    assert not (folder / "kept.json").exists()
    notices.send(Notify(command=command), found, "lake", NOW)
    assert json.loads((folder / "kept.json").read_text())["because"] == ["it moved"]


def test_a_webhook_gets_it_with_a_token_of_the_environment(hooks, monkeypatch):
    notice = notices.of_error("run", SourceError("gone", ""))
    there = Notify(webhook_env="OPS", token_env="OPS_TOKEN")  # noqa: S106 - the name of a variable
    (unset,) = notices.send(there, notice, "lake", NOW)
    assert "OPS is not set" in unset.problem
    monkeypatch.setenv("OPS", f"{hooks.address}/in")
    monkeypatch.setenv("OPS_TOKEN", "secret")
    assert notices.send(there, notice, "lake", NOW) == []
    ((path, headers, body),) = hooks.came
    assert (path, headers["Authorization"], headers["Content-Type"]) == ("/in", "Bearer secret", "application/json")
    assert json.loads(body)["error"] == "SourceError"
    monkeypatch.setenv("OPS", "http://somewhere.example/T0/secret")
    (open_,) = notices.send(there, notice, "lake", NOW)
    assert "no https address" in open_.problem
    assert "secret" not in str(open_)
    assert len(hooks.came) == 1


@pytest.mark.parametrize(
    ("path", "said"), [("/away", "answered 302"), ("/broken", "answered 500"), ("/slow", "no answer: ")]
)
def test_an_address_that_does_not_take_it_is_named_and_not_followed(hooks, path, said):
    there = Notify(webhook=hooks.address + path, timeout_seconds=0.2)
    (error,) = notices.send(there, notices.of_error("run", SourceError("gone", "")), "lake", NOW)
    assert said in error.problem
    assert [came[0] for came in hooks.came] == [path]


@pytest.mark.parametrize("address", ["https://hooks..example.com/x", "https://hooks.example.com/\u00e4"])
def test_an_address_that_cannot_be_one_is_told_like_any_other(address):
    (error,) = notices.send(Notify(webhook=address), notices.of_error("run", SourceError("gone", "")), "lake", NOW)
    assert "notify.webhook: no answer" in error.problem


def test_a_program_that_fails_is_missing_or_takes_too_long_is_named(tmp_path):
    notice = notices.of_error("run", SourceError("gone", ""))

    def told(*command, seconds=10.0):
        (error,) = notices.send(Notify(command=command, timeout_seconds=seconds), notice, "lake", NOW)
        return error.problem

    assert "ended with 3: no such list" in told("/bin/sh", "-c", "echo no such list >&2; exit 3")
    assert "cannot be started" in told(str(tmp_path / "none"))
    begun = time.monotonic()
    slow = f"sleep 30 & echo $! >{tmp_path}/child; echo $$ >{tmp_path}/self; sleep 30"
    assert "was ended after 0.5 s" in told("/bin/sh", "-c", slow, seconds=0.5)
    assert time.monotonic() - begun < 10
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "self").read_text()), 0)
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    while child.exists() and child.read_text().split()[2] != "Z":  # what it had started is ended, too, a little later
        assert time.monotonic() - begun < 20
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"command": "tell ops"}, "as a list"),
        ({"webhook": "http://hooks.example"}, "use an https address"),
        ({"webhook": "https://a.example", "webhook_env": "A"}, "two addresses"),
        ({"command": ["a"], "token_env": "T"}, "there is none"),
        ({"webhook_env": "https://a.example"}, "should match pattern"),
        ({"command": ["a"], "on": ["everything"]}, "'failure', 'held' or 'drift'"),
        ({}, "nobody to be told"),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path, wrong, said):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"notify": wrong}))
    with pytest.raises(ContractError, match=said):
        load(tmp_path / "config.yaml")


def test_a_run_that_fails_is_told_and_a_hook_that_fails_changes_nothing(kept, monkeypatch):
    folder, command = kept
    config = folder / "config.yaml"
    words = ["run", "--source", str(folder / "nothing"), "--lakehouse", str(folder / "lake"), "--config", str(config)]
    config.write_text(yaml.safe_dump({"notify": {"command": list(command)}}))
    failed = CliRunner().invoke(app, words)
    assert isinstance(failed.exception, SourceError)
    message = json.loads((folder / "kept.json").read_text())
    assert (message["command"], message["events"], message["error"]) == ("run", ["failure"], "SourceError")
    config.write_text(yaml.safe_dump({"notify": {"command": [str(folder / "none")]}}))
    failed = CliRunner().invoke(app, words)
    assert isinstance(failed.exception, SourceError)
    assert "A notice was not delivered: notify.command" in failed.output


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
