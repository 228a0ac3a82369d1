"""Folders of copies that go with their process: what a killed one has left is removed, what another still uses is not."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from medallion import temporary
from medallion.lakehouse import query

HOLD = "import sys; from medallion import temporary; folder, remove = temporary.make(); print(folder, flush=True); sys.stdin.read()"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_a_folder_is_gone_afterwards(place):
    with temporary.folder() as folder:
        assert Path(folder).parent == place
        assert Path(folder).stat().st_mode & 0o777 == 0o700
        assert temporary.sweep() == (0, 0), "one's own is left alone"
        Path(folder, "copy").write_text("Ann")
    assert list(place.iterdir()) == []


def test_what_a_killed_process_has_left_is_removed(place):
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=-1, stdout=-1, text=True) as process:
        folder = Path(process.stdout.readline().strip())
        (folder / "copy").write_text("Ann")
        of_an_earlier_version = place / "medallion-abc"
        of_an_earlier_version.mkdir()
        assert temporary.sweep() == (0, 1)
        process.kill()
        process.wait()
        assert folder.is_dir()
    assert temporary.sweep() == (1, 0)
    assert list(place.iterdir()) == [of_an_earlier_version], "nobody can tell whether it is in use"


@pytest.mark.parametrize("alone", [True, False])
def test_what_does_not_fit_into_memory_goes_there_too(alone):
    """And not to `.tmp` in the folder that the command was called in."""
    with query.empty(alone=alone) as connection:
        ((folder,),) = connection.execute("select current_setting('temp_directory')").fetchall()
    assert Path(folder).parent in temporary._mine


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
