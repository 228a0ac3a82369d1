"""Whether a slicer reaches every visual of its page: what it does not filter would show a figure that ignores the reader."""

from __future__ import annotations

from collections.abc import Iterator

from medallion.errors import ContractError
from medallion.powerbi.model import DATE, Model
from medallion.powerbi.pages import Field, Page


def check(page: Page, model: Model) -> None:
    """Refuse a page with a slicer, or a value that readers drill through by, that one of its visuals does not follow.

    Raises:
        ContractError: Says the page, the visual, the measure and the slicer.
    """
    slicers = [visual.fields["Values"][0] for visual in page.visuals if visual.kind == "slicer"]
    for slicer in (*slicers, *([page.drill] if page.drill else [])):
        for visual in page.visuals:
            if visual.kind == "slicer":
                continue
            for name in dict.fromkeys(field for field in visual.used if isinstance(field, str)):
                if not _reaches(model, slicer, name):
                    raise ContractError(
                        f"{page.title}: the slicer {slicer[1]} does not reach {name} of {visual.title!r}",
                        "Show it on a page without that slicer.",
                    )


def _reaches(model: Model, slicer: Field, name: str) -> bool:
    """Whether a choice in a slicer filters a measure. What-if values and the calculation group filter no rows."""
    table, measure = slicer[0], model.measure(name)
    if model.table(table).kind in ("parameter", "items"):
        return True
    if table == DATE[0] and measure.metric:
        return measure.is_dated
    return all(table in _above(model, home) for home in measure.tables)


def _above(model: Model, table: str) -> Iterator[str]:
    """A table and those whose filters come down to it."""
    yield table
    for link in model.relationships:
        if link.table == table and link.active:
            yield from _above(model, link.to)
