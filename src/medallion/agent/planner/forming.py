"""Slots as conditions and names of a view: what figures, lists and intents are made of alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from medallion import metrics
from medallion.agent.planner.lexicon import meanings
from medallion.agent.planner.marking import Unclear
from medallion.agent.planner.names import Team
from medallion.agent.planner.slots import OF_DEED, OF_OPEN, Slots, Threshold
from medallion.metrics import Filter, Metric, MetricView, contradicted
from medallion.metrics.conditions import And, Condition, Not, Or, Test, both, parse
from medallion.metrics.periods import Today
from medallion.metrics.question import Question, Records

#: Slots that a question may fill, and by what is asked those that it uses; a slot that is not used declines the question.
_SLOTS = ("metrics", "fields", "entity", "states", "where", "times", "deed", "by", "rank", "thresholds", "compare", "versus",
          "turn", "share", "me", "about", "contrast", "average", "passage", "columns", "running", "without", "lacks")  # fmt: skip
_USES: dict[str, frozenset[str]] = {
    name: frozenset(slots.split())
    for name, slots in {
        "call plan": "where times rank me entity",
        "forecast": "times by",
        "channels": "",
        "score": "about fields where",
        "definition": "metrics states entity",
        "what changed": "times where",
        "attain": "where times me",
        "cover": "where times me about",
        "existing": "where times me",
        "passage": "passage times",
        "overview": "where times by versus me compare contrast",
        "lacking": "about by metrics",
        "why": "metrics times compare versus where turn states entity about by me deed",
        "one record": "about fields deed entity me",
        "figure": "metrics entity states where times deed by rank thresholds compare versus turn me about contrast",
        "share": "metrics entity states where times deed by thresholds share me about",
        "share of the first": "metrics entity states where times deed by rank thresholds share me about",
        "list": "entity states where times deed rank thresholds me about fields average columns",
        "stages": "entity by states where times deed rank fields thresholds me about",
        "slipped deals": "entity states where times thresholds me",
        "conversion by stage": "metrics by times",
    }.items()
}


@dataclass(frozen=True)
class Intent:
    """A tool of the agent with its arguments."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        arguments = ", ".join(f"{name} {value}" for name, value in self.arguments.items() if value is not None)
        return f"{self.tool.replace('_', ' ')}{': ' if arguments else ''}{arguments}"


Asked = Question | Records | Intent


@dataclass(frozen=True)
class Forming:
    """Turns slots into what is asked.

    Attributes:
        slots: What the question says.
        today: The last day of the data.
        me: Who asks, where it is known.
        team: The team of who asks, where it is known.
    """

    slots: Slots
    today: Today
    me: str | None = None
    team: Team | None = None

    def asked(self) -> tuple[Asked, ...]:
        """What is asked.

        Raises:
            Unclear: The slots do not make a question.
        """
        raise NotImplementedError

    def _asked(self) -> tuple[Asked, ...]:
        """Figures and lists that are asked for."""
        raise NotImplementedError

    def of(self, slots: Slots) -> Self:
        """The same for other slots."""
        return replace(self, slots=slots)

    def _only(self, name: str, *goals: str) -> None:
        """Refuse anything in the question that this kind of question does not use."""
        more = [slot for slot in _SLOTS if getattr(self.slots, slot) and slot not in _USES[name]]
        if self.slots.goal in ("when", "average", "median") and self.slots.goal not in goals:
            more.append(self.slots.goal)
        if more:
            labels = ", ".join(
                {"me": "whose it is", "by": "a split", "deed": "what happened"}.get(slot, slot) for slot in more
            )
            raise Unclear(f"a question of the kind {name!r} takes no such thing: {labels}")

    def _tests(self) -> list[Test]:
        return [condition for condition in self.slots.where if isinstance(condition, Test)]

    def _where(
        self, view: MetricView, metric: Metric | None = None, own: frozenset[str] = frozenset()
    ) -> tuple[Condition, ...]:
        """The conditions of the question on the records of a view."""
        entity = view.entity
        conditions = [self._renamed(condition, view) for condition in self.slots.where]
        if self.slots.about:
            kinds = {record.kind for record in self.slots.about}
            if len(kinds) > 1:
                raise Unclear("an account and a deal at once: ask for one of them")
            key = "lead_id" if kinds == {"deal"} else "customer_id"
            conditions.append(
                Test(self._name(view, key, entity), "=", tuple(record.key for record in self.slots.about))
            )
        states = [
            (state, positive) for state, positive in self.slots.states if state not in ("new", "stuck", "slipped")
        ]
        exclusive = [state for state, positive in states if positive and state in ("open", "won", "lost", "closed")]
        if {"won", "lost"} & {*exclusive}:
            exclusive = [state for state in exclusive if state != "closed"]  # won deals that closed late
        meant = {status for state in exclusive for status in (("won", "lost") if state == "closed" else (state,))}
        if exclusive and entity == "deals" and meant != own:
            if metric and (own or metric.measure.additivity == "ratio"):
                self._not_undone(metric, sorted(meant))
            conditions.append(parse(" or ".join(dict.fromkeys(_state(entity, state) for state in exclusive))))  # type: ignore[arg-type]
        elif exclusive and metric and metric.measure.additivity == "ratio":
            self._not_undone(metric, sorted(meant))
        over = meant or own or OF_DEED.get(self.slots.deed, set())
        ended = over and "open" not in over
        if ended and entity == "deals" and (of_open := [state for state, _ in states if state in OF_OPEN]):
            raise Unclear(
                f"{of_open[0].replace('_', ' ')} is known of open deals only: it is not kept for deals that have ended",
                f"how many open deals are {'never touched' if 'touched' in of_open[0] else of_open[0]}?",
            )
        for state, positive in states:
            if positive and entity == "deals" and state in ("open", "won", "lost", "closed"):
                continue
            if positive and own and state in ("won", "bought") and entity != "accounts":
                continue
            text = _state(entity, state)
            if not text and state == "any_deal":
                raise Unclear(
                    "whether an account has had any deal at all is not read",
                    "customers that never bought anything", "accounts without open deals",
                )  # fmt: skip
            if not text:
                raise Unclear(f"{labelled(entity)} are not {state}", f"how many {labelled(entity)} are there?")
            test = parse(text)
            assert test is not None  # noqa: S101 - a state of the vocabulary
            if not positive and text.endswith("> 0"):
                test = parse(text.replace("> 0", "= 0"))
            elif not positive:
                test = Not(test)
            conditions.append(test)  # type: ignore[arg-type]
        if (
            not metric
            and self.slots.deed in ("win", "lose", "sell", "close", "due")
            and entity == "deals"
            and not exclusive
        ):
            state = {"win": "won", "sell": "won", "lose": "lost", "close": "closed", "due": "open"}[self.slots.deed]
            conditions.append(parse(_state(entity, state)))  # type: ignore[arg-type]
        for threshold in self.slots.thresholds:
            names = (metric.name,) if metric else ()
            if not self._of_figure(threshold, names, view):
                conditions.append(self._threshold(threshold, view))
        quiet = any(threshold.column == "days_silent" for threshold in self.slots.thresholds)
        if quiet and entity == "deals" and not states and not own:
            conditions.append(Test("open", "is"))
        parts = both(*conditions)
        return parts.parts if isinstance(parts, And) else (parts,) if parts else ()

    @staticmethod
    def _not_undone(metric: Metric, states: list[str]) -> None:
        """Refuse a state that undoes a metric: revenue of lost deals, the win rate of won ones."""
        if contradicted(metric, [Filter("status", tuple(states))]):
            label = metric.measure.display_name
            raise Unclear(
                f"{label} is not of {' and '.join(states)} deals",
                f"What is the {label.lower()}?",
                f"how many {states[0]} deals",
            )

    def _threshold(self, threshold: Threshold, view: MetricView) -> Condition:
        column = threshold.column or "deal_value"
        if not threshold.column and view.entity != "deals":
            raise Unclear(f"{threshold.op} {threshold.value} of what?", "customers with a lead score above 80")
        name = self._name(view, column, view.entity)
        view_field = view.field(name)
        if threshold.percent and not (view_field and view_field.format and view_field.format.type == "percentage"):
            raise Unclear(f"{threshold.value}% of what?", "open deals with a probability above 40%")
        value = f"{float(threshold.value) / 100:g}" if threshold.percent else threshold.value
        test = Test(name, threshold.op, (value,)) if threshold.op != "=" else Test(name, "=", (value,))
        if name == "days_silent" and view.entity in ("accounts", "contacts"):
            return Or((test, Not(Test("touched", "is"))))
        return test

    def _renamed(self, condition: Condition, view: MetricView) -> Condition:
        owner = self.slots.team_of
        if owner and isinstance(condition, Test) and (condition.op, condition.values) == ("=", (owner,)):
            return self._of_team(view, owner)
        if isinstance(condition, Test):
            return Test(self._name(view, condition.name, view.entity), condition.op, condition.values)
        if isinstance(condition, Not):
            return Not(self._renamed(condition.part, view))
        return type(condition)(tuple(self._renamed(part, view) for part in condition.parts))

    def _mine(self, view: MetricView) -> Condition:
        if any(test.name in ("owner", "account_manager") for test in self._tests()):
            raise Unclear("mine, and of somebody else: ask for one of them", "my open deals")
        if self.slots.team and self.me is not None:
            return self._of_team(view, self.me)
        if self.me is None:
            raise Unclear("I do not know who you are: say it with `--me NAME` or as `me` in the settings")
        return Test(self._name(view, "owner", view.entity), "=", (self.me,))

    def _of_team(self, view: MetricView, owner: str) -> Condition:
        """The condition that records are of the team of an owner."""
        if self.team is None:
            raise Unclear(f"I do not know which team {owner} is in", "win rate by team")
        if name := next((name for name in ("owner_team", "team") if view.field(name)), None):
            return Test(name, "=", (self.team.name,))
        return Test(self._name(view, "owner", view.entity), "=", self.team.owners)

    @staticmethod
    def _name(view: MetricView, concept: str, entity: str) -> str:
        """The name of a concept's column in a view."""
        columns: dict[str, str] = meanings()["columns"].get(view.entity, {})
        names = [*meanings()["concepts"].get(concept, [concept])]
        if concept in columns:
            names.append(columns[concept])
        known = {column.name for column in (*view.dimensions, *view.fields)}
        known |= {alias for column in (*view.dimensions, *view.fields) for alias in column.aliases}
        column_name: str | None = next((name for name in names if name in known), None)
        if column_name is None:
            label = concept.replace("_", " ")
            raise Unclear(f"there is no {label} of {labelled(entity or view.entity)}", f"{(view.measures[0].display_name if view.measures else entity).lower()} by {view.dimensions[0].display_name.lower()}")  # fmt: skip
        return column_name

    @staticmethod
    def _written(threshold: Threshold, metric: Metric) -> str:
        """The value of a threshold as the grammar writes it.

        Raises:
            Unclear: A share is compared with what cannot be one.
        """
        measure = metric.measure
        if measure.format.type == "percentage" and not threshold.percent and (threshold.money or float(threshold.value) > 1):  # fmt: skip
            label = measure.display_name.lower()
            raise Unclear(f"{label} is a share, and {threshold.value} is none", f"{label} by owner above 40%")
        return f"{threshold.value}%" if threshold.percent else threshold.value

    def _of_figure(self, threshold: Threshold, names: tuple[str, ...], view: MetricView) -> bool:
        """Whether a threshold applies to the figure asked for, not to the records."""
        if {threshold.column, f"team_{threshold.column}"} & {*names}:
            return bool(self.slots.by)
        return not threshold.column and bool(self.slots.by) and self.slots.entity != "deals"


def _with(slots: Slots, **changes: Any) -> Slots:
    return replace(slots, **changes)


def _state(entity: str, state: str) -> str:
    """The condition of a state on the records of an entity; empty where it has none."""
    return str(meanings()["states"].get(entity, {}).get(state, ""))


def any_of(names: tuple[str, ...]) -> Condition:
    """The condition that there is something of one of some figures: a number above 0, a known rate."""
    tests: list[Condition] = []
    for name in names:
        column = "value" if len(names) == 1 else name
        adds = metrics.metrics()[name].measure.additivity != "ratio" and name not in meanings()["current"]
        tests.append(Test(column, ">", ("0",)) if adds else Test(column, "known"))
    return Or(tuple(tests)) if len(tests) > 1 else tests[0]


def labelled(entity: str) -> str:
    """What messages call records of an entity.

    >>> labelled("first_wins"), labelled("deals")
    ('new customers', 'deals')
    """
    return str(meanings()["labels"].get(entity, entity.replace("_", " ")))
