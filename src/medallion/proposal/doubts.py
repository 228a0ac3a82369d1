"""The doubts of a proposal as questions, one by one: possible answers, what each comes to, and the line that it writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from medallion import figures
from medallion.contracts import CONFIDENT, Entity, Filling
from medallion.contracts import Column as Declared
from medallion.contracts.dates import inference
from medallion.contracts.dates.day_order import as_read
from medallion.contracts.filling import Snapshot
from medallion.proposal import asking, cells, worth
from medallion.proposal.feeds import Feed, Proposal
from medallion.proposal.merges import Unclear
from medallion.proposal.profile import Column
from medallion.sources import units

#: Without these a table cannot feed its entity, so they are not left empty.
_NEEDED = {"status", "occurred_at"}
#: Other columns that are offered in place of a doubtful one.
_OFFERED = 5


@dataclass(frozen=True)
class Answer:
    """One possible answer: what it says, what it comes to, and how the proposal takes it."""

    says: str
    comes_to: str
    take: Callable[[], None]


@dataclass(frozen=True)
class Question:
    """A doubt: where in the contract its line is, what is asked, and the possible answers."""

    line: str
    asks: str
    answers: tuple[Answer, ...]


def questions(proposal: Proposal, entities: Mapping[str, Entity]) -> Iterator[Question]:
    """The doubts of a proposal in the order of its contract; later ones take the answers to earlier ones into account."""
    for feed in list(proposal.feeds):
        if feed.undecided:
            yield _of_orders(feed)
        if feed.confidence < CONFIDENT and not feed.undecided:
            yield _of_table(proposal, feed)
        if not any(feed is kept for kept in proposal.feeds) or feed.entity not in entities:
            continue
        if isinstance(snapshot := feed.life.get("snapshot"), Snapshot) and snapshot.confidence is not None:
            yield _of_states(proposal, feed, snapshot, str(entities[feed.entity].version_column))
        for name in list(feed.fillings):
            yield from _of_filling(feed, entities[feed.entity].column(name), entities[feed.entity].key)
    for item in list(proposal.unclear):
        yield _of_unused(proposal, item)


def _of_states(proposal: Proposal, feed: Feed, snapshot: Snapshot, version: str) -> Question:
    """Whether files of one kind are states of several days."""
    ours = [each for each in proposal.feeds if each.life.get("snapshot") is snapshot]

    def take() -> None:
        for each in ours:
            each.life["snapshot"] = Snapshot(value=True)

    def leave() -> None:
        for each in ours:
            del each.life["snapshot"]
            each.fillings |= {version: each.version} if each.version else {}

    asks, _, gone = snapshot.reason.partition(" Then ")
    return Question(
        f"{feed.table.file.name}, {feed.entity}: snapshot",
        asks,
        (
            Answer("each is a complete state", gone.partition(" (")[0], take),
            Answer("each has what changed", "records that the newest file lacks still count", leave),
        ),
    )


def _of_unused(proposal: Proposal, item: Unclear) -> Question:
    """What a table is that feeds nothing and names records of an entity."""

    def take() -> None:
        proposal.unclear = [each for each in proposal.unclear if each is not item]
        proposal.ignored.append(item)

    return Question(
        f"{item.table.file.name}, {item.entity}: ignore",
        item.reason,
        (Answer("ignore it", f"none of its {_rows(item.table.rows)} is read", take),),
    )


def _of_filling(feed: Feed, declared: Declared, key: str) -> Iterator[Question]:
    """Every doubt about what fills a column, each until it is answered or left open."""
    item, name = feed.fillings[declared.name], declared.name
    for doubt in asking.doubts(item):
        if doubt not in asking.doubts(feed.fillings.get(name, Filling(value=""))):
            continue  # gone with the answer to another
        item = feed.fillings[name]
        column = _column(feed, item)
        if unknown := _unknown(feed, item, declared):
            yield from _of_spellings(feed, declared, unknown, doubt)
        elif column and declared.kind in ("date", "timestamp") and asking.is_order(doubt):
            yield _of_order(feed, name, column, doubt)
        else:
            yield _of_column(feed, declared, key, doubt)


def _line(feed: Feed, name: str) -> str:
    return f"{feed.table.file.name}, {feed.entity}: {name}"


def _rows(number: int) -> str:
    return figures.count(number, "row")


def _of_table(proposal: Proposal, feed: Feed) -> Question:
    """Whether a table feeds the entity that it is taken for."""

    def take() -> None:
        feed.confidence = 1.0

    def leave() -> None:
        left = (
            {"customers", feed.entity} if feed.entity == "leads" else {feed.entity}
        )  # accounts that its deals name too
        proposal.feeds = [each for each in proposal.feeds if each.table is not feed.table or each.entity not in left]
        if not any(each.table is feed.table for each in proposal.feeds):
            proposal.left[feed.table.file.name] = f"holds no {feed.entity}, as someone said"

    return Question(
        f"{feed.table.file.name}, {feed.entity}",
        f"Does {feed.table.file.name} hold {feed.entity}? ({feed.reason})",
        (
            Answer("yes", f"{_rows(feed.table.rows)} are read as {feed.entity}", take),
            Answer("no", f"none of its {_rows(feed.table.rows)} is read as {feed.entity}", leave),
        ),
    )


def _column(feed: Feed, item: Filling) -> Column | None:
    return feed.table.column(item.column) if item.column else None


def _unknown(feed: Feed, item: Filling, declared: Declared) -> list[tuple[str, int]]:
    """Spellings of a closed column whose meaning is a guess, the most frequent first."""
    column = _column(feed, item)
    if column is None or not declared.accepted or item.lookup:
        return []
    listed = dict(item.values)
    return [pair for pair in cells.spellings(feed.entity, declared, column)[1] if pair[0] in listed]


def _of_spellings(feed: Feed, declared: Declared, unknown: list[tuple[str, int]], doubt: str) -> Iterator[Question]:
    """What each spelling that is not known means; the column is sure once all have been said."""
    name, answered = declared.name, list[str]()
    for text, count in unknown:

        def means(value: str, text: str = text) -> None:
            item = feed.fillings[name]
            values = tuple((each, value if each == text else meant) for each, meant in item.values)
            answered.append(text)
            item = item.model_copy(update={"values": values})
            feed.fillings[name] = asking.without(item, doubt) if len(answered) == len(unknown) else item

        yield Question(
            f"{_line(feed, name)}: values: {text}",
            f"What does {text!r} in {feed.fillings[name].column} mean for {name}?",
            tuple(
                Answer(value, f"{_rows(count)} more {value}", lambda value=value, means=means: means(value))  # type: ignore[misc]
                for value in declared.accepted
            ),
        )


_SURE = {"confidence": None, "reason": ""}


def span(column: Column, first: str) -> tuple[date, date] | None:
    """The first and last day of a column of figures, read with the day, the month or the year first."""
    days = [day for text in column.counts if (day := as_read(text).get(first))]
    return (min(days), max(days)) if days else None


def _of_orders(feed: Feed) -> Question:
    """Whether the day or the month comes first, in all columns of a table of which none tells."""
    columns = [feed.table.column(header) for header in feed.undecided]

    def order(first: str) -> None:
        needed = [_called_for(column, first) for column in columns]
        feed.date_formats = tuple(dict.fromkeys(each for of_column in needed for each in of_column))
        feed.undecided, feed.confidence = (), feed.sure_besides

    return _which_first(f"{feed.table.file.name}, {feed.entity}: dateFormats", columns, order)


def _of_order(feed: Feed, name: str, column: Column, doubt: str) -> Question:
    """Whether the day, the month or the year comes first."""

    def order(first: str) -> None:
        item = feed.fillings[name].model_copy(update={"date_formats": _called_for(column, first)})
        feed.fillings[name] = asking.without(item, doubt)

    return _which_first(f"{_line(feed, name)}: dateFormats", [column], order)


def _called_for(column: Column, first: str) -> tuple[str, ...]:
    orders = [first == "day", *([first != "day"] if column.day_order.contradicts and first != "year" else [])]
    needed = [inference.called_for(column.counts, order, with_year_first=first == "year")[0] for order in orders]
    return tuple(dict.fromkeys(format_ for formats_of in needed for format_ in formats_of))


def _which_first(line: str, columns: list[Column], order: Callable[[str], None]) -> Question:
    answers = []
    short = any(column.day_order.years is None for column in columns)
    for first in ("day", "month", "year") if short else ("day", "month"):
        spans = [days for column in columns if (days := span(column, first))]
        comes_to = ", ".join(f"{first} to {last}" for first, last in spans) or "no day can be read so"
        answers.append(Answer(f"the {first}", comes_to, lambda first=first: order(first)))  # type: ignore[misc]
    headers, day_order = " and ".join(column.header for column in columns), columns[0].day_order
    example = day_order.either or day_order.day_first or day_order.month_first
    asks = "the day, the month or the year" if short else "the day or the month"
    return Question(line, f"What comes first in {headers}, such as {example!r}: {asks}?", tuple(answers))


def _of_column(feed: Feed, declared: Declared, key: str, doubt: str) -> Question:
    """What fills a column: what is proposed, another column, or nothing."""
    name, item = declared.name, feed.fillings[declared.name]

    def keep() -> None:
        feed.fillings[name] = asking.without(feed.fillings[name], doubt)

    def other(column: Column) -> None:
        feed.fillings[name] = _filled_by(feed, declared, column)

    def leave() -> None:
        del feed.fillings[name]

    origin = item.column or item.sql or f"always {item.value}"
    own = _column(feed, item)
    answers = [Answer(f"from {origin}" if item.value is None else origin, _comes_to(feed, own, declared), keep)]
    for column in _candidates(feed, declared, own):
        take = lambda column=column: other(column)  # noqa: E731
        answers.append(Answer(f"from {column.header}", _comes_to(feed, column, declared), take))
    if name != key and name not in _NEEDED:
        answers.append(Answer("leave it empty", f"{_rows(feed.table.rows)} without {name}", leave))
    return Question(_line(feed, name), f"What fills {name}? ({doubt})", tuple(answers))


def _candidates(feed: Feed, declared: Declared, own: Column | None) -> list[Column]:
    """Columns that could fill another one: not used yet, and of its kind."""
    shapes = {"money": "number", "integer": "number", "date": "date", "timestamp": "date", "email": "email"}
    shape = shapes.get(declared.kind)
    candidates = [column for column in feed.unmapped if column is not own]
    if shape:
        candidates = [column for column in candidates if column.share(shape) > 0.5]
    elif declared.accepted:
        candidates = [column for column in candidates if column.distinct <= 30 and column.share("date") < 0.5]
    else:
        candidates = [column for column in candidates if column.share("date") < 0.5]
    return sorted(candidates, key=lambda column: -column.filled)[:_OFFERED]


def _filled_by(feed: Feed, declared: Declared, column: Column) -> Filling:
    """A column in the place of the one proposed, sure since someone said so; what its values need comes along."""
    item = Filling(column=column.header, confidence=1.0)
    if declared.kind in ("date", "timestamp"):
        order = next((c.day_order.decided for c in feed.table.columns if c.day_order.decided is not None), None)
        item = cells.dated(item, column, order)
    elif declared.kind == "money":
        item = worth.scaled(cells.amount(item, column), [column])
    elif declared.accepted:
        values, unknown = cells.spellings(feed.entity, declared, column)
        guess = declared.accepted[0] if declared.name == "status" else None
        item = item.model_copy(update={"values": (*values, *((t, guess) for t, _ in unknown if guess))})
    return item if item.confidence is not None and item.confidence < CONFIDENT else item.model_copy(update=_SURE)


def _comes_to(feed: Feed, column: Column | None, declared: Declared) -> str:
    """What a column holds, in figures."""
    if column is None:
        return f"for {_rows(feed.table.rows)}"
    filled = f"{column.filled:,} of {_rows(column.rows)} filled"
    if declared.kind == "money" and (total := _total(column)) is not None:
        return f"{filled}, {figures.ratio(total, 0)} in sum"
    return f"{filled}: {column.examples()}"


def _total(column: Column) -> Decimal | None:
    """The sum of a column of figures, None where most of them are none."""
    total, read = Decimal(0), 0
    for text, count in column.counts.items():
        if (amount := units.signed(text, column.comma)) is not None:
            total, read = total + amount * count, read + 1
    return total if read * 2 > column.distinct else None
