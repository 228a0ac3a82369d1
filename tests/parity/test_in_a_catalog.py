"""A lakehouse in a catalog of Apache Spark with Delta Lake, which has what Unity Catalog has but predictive optimization.

Needs a Spark Connect server: `just parity`. Without `SPARK_REMOTE` it is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

pytestmark = pytest.mark.skipif("SPARK_REMOTE" not in os.environ, reason="no Apache Spark: see `just parity`")


def test_manifests_restore_forget_and_verify():
    line = [sys.executable, str(Path(__file__).with_name("in_catalog.py")), "uc://spark_catalog"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    first, second = told["values"]
    assert (first, second) == (1_937_000, 2_049_000)
    assert (told["at 1"], told["back"], told["forth"], told["interrupted"]) == (first, first, second, second)
    assert told["recovered"][0].endswith("It was rolled back: every table is as it was before.")
    assert told["left to"].startswith("Left to predictive optimization, which is not known to the engine")
    assert (told["certificate"]["found"], told["certificate"]["records"]["customers"]) == ([], 1)
    assert not [one for one in told["certificate"]["tables"] if "left_to_the_platform" in one]
    assert told["forgotten"] == 1_499_000
    assert told["kinds"] == ["run", "run", "restore", "restore", "recovery", "forget"]
    assert not [one for one in told["verify"] if one.startswith("broken")]
    assert (told["earlier"], "can no longer be opened" in told["refused"]) == ([], True)
    assert told["races"] == [1] * 20


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, "-n", "0"]))
