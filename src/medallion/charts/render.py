"""From a chart to SVG and PNG, without a browser or a network, and the script that draws charts in a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medallion.errors import MedallionError

#: Pixels of a picture per pixel of its chart: sharp on paper and on a screen of today.
SCALE = 2.0
#: The script of a page with charts, as `bundle` made it.
BUNDLE = Path(__file__).with_name("vega.js")
#: A clip path's name, where it is defined or used, not a word of the picture's text.
_CLIPS = re.compile(r'(?<=id=")clip\d+(?=")|(?<=url\(#)clip\d+(?=\))')


def available() -> bool:
    """Whether the extra `charts` is installed."""
    try:
        import altair  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError:
        return False
    return True


def _converter() -> Any:
    try:
        import altair  # noqa: F401
        import vl_convert
    except ImportError as error:
        raise MedallionError(
            f"Charts are not installed: {error}", "Install them with: pip install 'medallion-crm[charts]'"
        ) from error
    return vl_convert


def svg(chart: Mapping[str, Any], clips: str = "clip") -> str:
    """A Vega-Lite chart as SVG; `clips` begins the names of its clip paths, of which each in a document has its own.

    Raises:
        MedallionError: The extra `charts` is not installed.
    """
    return _numbered(str(_converter().vegalite_to_svg(dict(chart), allowed_base_urls=[])), clips)


def _numbered(picture: str, clips: str) -> str:
    """The picture with its clip paths counted from 1: Vega counts on through everything a process has drawn."""
    names = dict.fromkeys(_CLIPS.findall(picture))
    counted = {name: f"{clips}{number}" for number, name in enumerate(names, 1)}
    return _CLIPS.sub(lambda name: counted[name[0]], picture)


def png(chart: Mapping[str, Any], scale: float = SCALE) -> bytes:
    """A Vega-Lite chart as PNG, `scale` pixels per pixel of the chart.

    Raises:
        MedallionError: The extra `charts` is not installed.
    """
    return bytes(_converter().vegalite_to_png(dict(chart), scale=scale, allowed_base_urls=[]))


def javascript() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script (900 kB, BSD-3-Clause) that sets `window.vegaEmbed`.

    The package carries what `bundle` makes, which takes two seconds, for the versions that it was made with.

    Raises:
        MedallionError: The extra `charts` is not installed.
    """
    kept = BUNDLE.read_text(encoding="utf-8") if BUNDLE.is_file() else ""
    return kept if kept.startswith(_notice()) else bundle()


def bundle() -> str:
    """The script, made anew from the installed vl-convert; `just vega` writes it into the package.

    Raises:
        MedallionError: The extra `charts` is not installed.
    """
    return _notice() + str(_converter().javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def _notice() -> str:
    converter = _converter()
    lite = converter.get_vegalite_versions()[-1]
    return (
        f"/* Vega {converter.get_vega_version()}, Vega-Lite {lite}, Vega-Embed {converter.get_vega_embed_version()} and what "
        "they need: BSD-3-Clause, (c) University of Washington Interactive Data Lab and contributors. */\n"
    )
