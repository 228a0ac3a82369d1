"""How the cells of a delivery are written, decided per column from all its values before anything is loaded.

A file whose values contradict each other or can be read in two ways is refused with both readings, so is one whose
known columns hold what nothing here understands. Looks at files only; needs no engine.

    files -> cells (what each column holds) -> dates, meaning (doubts) -> files as they are to be read, and refusals
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from medallion.contracts import Entity
from medallion.contracts.dates.day_order import Span
from medallion.errors import SourceError
from medallion.pipeline.conventions.cells import Cells, dates_of, look
from medallion.pipeline.conventions.dates import date_notes, formats_of, order_of, precedents_of, span_of, with_formats
from medallion.pipeline.conventions.doubts import MESSAGES, Doubt
from medallion.pipeline.conventions.meaning import (
    doubts_of,
    emptied_columns,
    errors_of,
    repeated_deliveries,
    slips_of,
    undated_deals,
)
from medallion.sources import Refusal, SourceFile


@dataclass(frozen=True)
class Settled:
    """The files that can be read, as they are to be read; those that are refused; what is worth knowing."""

    files: list[SourceFile]
    refused: list[Refusal]
    notes: list[str]


def settle(
    files: Sequence[SourceFile],
    entities: Mapping[str, Entity],
    earlier: Iterable[SourceFile],
    *,
    accept: bool = False,
    today: date | None = None,
    cells: Cells | None = None,
) -> Settled:
    """Decide how the dates of a delivery are written, and refuse the files that are not understood.

    Args:
        files: New files of a delivery.
        entities: The contracts.
        earlier: Files read before, newest last; how their dates were written decides where nothing else does.
        accept: Read on by the contract's own conventions where the values do not decide.
        today: The day of the run: what is counted in days is not years after it, where no other date is known.
        cells: Gives columns of a file that was read before, where the file itself is not to be opened.
    """
    seen, refused = {}, []
    for file in files:
        try:
            seen[id(file)] = look(file, entities[file.entity], cells)
        except SourceError as error:
            refused.append(Refusal(file.name, file.entity, error.problem, error.remedy))
    readable = [file for file in files if id(file) in seen]
    earlier = list(earlier)
    before = precedents_of(earlier)
    dated = [
        (id(file), look) for file in readable for look in dates_of(file, entities[file.entity], seen[id(file)]).values()
    ]
    everywhere = span_of(look for _, look in dated) or (Span(date(1990, 1, 1), today) if today else None)
    orders = {
        (id(file), name): order_of(file.mapping[name], entities[file.entity].column(name), texts, everywhere, today)
        for file in readable
        for name, texts in dates_of(file, entities[file.entity], seen[id(file)]).items()
    }
    kept, notes = [], []
    whole = {} if cells else repeated_deliveries(readable, entities)
    for file in readable:
        entity = entities[file.entity]
        doubts = [*doubts_of(file, entity, seen[id(file)], has_rows=cells is None), *whole.get(id(file), [])]
        doubts += emptied_columns(file, entity, earlier)
        dates: dict[str, tuple[str, ...]] = {}
        span = span_of(look for of, look in dated if of == id(file)) or everywhere
        for name, texts in dates_of(file, entity, seen[id(file)]).items():
            own = [other for (of, _), other in orders.items() if of == id(file)]
            others = [own, list(orders.values()), before.get((file.entity, name), [])]
            dates[name], of_dates = formats_of(file, entity.column(name), texts, orders[id(file), name], others, span)
            doubts += of_dates
            notes += [note for note in date_notes(file, name, dates[name], texts) if note not in notes]
        of_errors, errors = errors_of(file, seen[id(file)])
        doubts += of_errors
        notes += [note for note in errors if note not in notes]
        notes += [f"{file.name}: {doubt.problem}" for doubt in doubts if accept]
        notes += [*slips_of(file, entity, seen[id(file)]), *undated_deals(file, entity, seen[id(file)])]
        if doubts and not accept:
            refused.append(_refusal(file, doubts))
        else:
            kept.append((file, dates))
    return Settled(with_formats(kept), refused, notes)


def _refusal(file: SourceFile, doubts: list[Doubt]) -> Refusal:
    problems = "; ".join(doubt.problem for doubt in doubts[:MESSAGES])
    more = f"; and {len(doubts) - MESSAGES} more" if len(doubts) > MESSAGES else ""
    remedies = " ".join(dict.fromkeys(doubt.remedy for doubt in doubts[:MESSAGES]))
    return Refusal(
        file.name, file.entity, f"{file.name}: {problems}{more}", f"{remedies} Or read it as it is with --accept."
    )
