"""The report's page in a browser: its policy lets its own scripts run, and every chart is drawn, light and dark."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from medallion import report

pytestmark = pytest.mark.browser
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=8000", "--enable-logging=stderr")


@pytest.mark.parametrize(("mode", "flags"), [("light", []), ("dark", ["--blink-settings=preferredColorScheme=0"])])
def test_every_chart_is_drawn(sample, tmp_path, mode, flags):
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    assert browser, "install chromium"
    report.eda(sample, tmp_path)
    page = tmp_path / "EDA_REPORT.html"
    done = subprocess.run(
        [browser, *FLAGS, *flags, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    wanted = re.findall(r'data-chart="([^"]+)"', page.read_text())
    assert len(wanted) > 10
    assert len(re.findall(rf'data-drawn="{mode}"', done.stdout)) == len(wanted)
    assert len(re.findall(r"<svg[^>]*marks", done.stdout)) >= len(wanted)
    assert "Content Security Policy" not in done.stderr
    assert not re.search(r"Uncaught|Refused to", done.stderr)


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, "-m", "browser"]))
