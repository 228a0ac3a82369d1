"""A lakehouse in a catalog of Apache Spark with Delta Lake, which has what Unity Catalog has but predictive optimization.

Needs a Spark Connect server and a quarter of an hour: `just catalog`. Otherwise it is skipped.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from doubles import in_catalog

from conftest import ROOT

pytestmark = pytest.mark.skipif(
    not {"SPARK_REMOTE", "MEDALLION_CATALOG"} <= {*os.environ}, reason="takes long: see `just catalog`"
)


def test_manifests_restore_forget_and_verify():
    line = [sys.executable, in_catalog.__file__, "uc://spark_catalog"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    in_catalog.check(json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, "-n", "0"]))
