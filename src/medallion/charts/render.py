"""From a chart to SVG and PNG, without a browser or a network, and the script that draws charts in a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medallion.errors import MedallionError

#: Pixels of a picture per pixel of its chart: sharp on paper and on a screen of today.
SCALE = 2.0


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


def svg(chart: Mapping[str, Any]) -> str:
    """A Vega-Lite chart as SVG.

    Raises:
        MedallionError: The extra `charts` is not installed.
    """
    return str(_converter().vegalite_to_svg(dict(chart), allowed_base_urls=[]))


def png(chart: Mapping[str, Any], scale: float = SCALE) -> bytes:
    """A Vega-Lite chart as PNG, `scale` pixels per pixel of the chart.

    Raises:
        MedallionError: The extra `charts` is not installed.
    """
    return bytes(_converter().vegalite_to_png(dict(chart), scale=scale, allowed_base_urls=[]))


def javascript() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script (900 kB, BSD-3-Clause) that sets `window.vegaEmbed`; takes two seconds.

    Raises:
        MedallionError: The extra `charts` is not installed.
    """
    return str(_converter().javascript_bundle("window.vegaEmbed = vegaEmbed;"))
