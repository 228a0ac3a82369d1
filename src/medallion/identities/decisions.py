"""What was decided about records that may be one: which decisions count, and which records are one by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

MERGE, KEEP_APART, UNDO = "merge", "keep_apart", "undo"


@dataclass(frozen=True)
class Decision:
    """One row of `ops.identity_decisions`."""

    decision_id: str
    entity: str
    action: str
    source_key: str
    entity_key: str
    decided_at: datetime
    decided_by: str
    reason: str = ""
    probability: float | None = None
    undoes: str | None = None


@dataclass(frozen=True)
class Member:
    """A record of a group of records that are one: `root` is the survivor's key, `rank` its place in the line for it."""

    key: str
    root: str
    rank: int
    decision: Decision | None = None


def in_effect(decisions: Iterable[Decision], before: datetime | None = None) -> list[Decision]:
    """Merges and keep-aparts that were not undone, oldest first.

    Args:
        decisions: All that was decided.
        before: As it was before this time, exclusive; None is now.
    """
    known = [decision for decision in decisions if before is None or decision.decided_at < before]
    undone = {decision.undoes for decision in known if decision.action == UNDO}
    left = [decision for decision in known if decision.action != UNDO and decision.decision_id not in undone]
    return sorted(left, key=lambda decision: (decision.decided_at, decision.decision_id))


def members(decisions: Iterable[Decision], before: datetime | None = None) -> dict[str, list[Member]]:
    """Per entity the records that are merged, survivors among them.

    Every merge leads from the survivor of one group to that of another, so that the others still hold when one is undone.
    """
    by_entity: dict[str, list[Member]] = {}
    merges = [decision for decision in in_effect(decisions, before) if decision.action == MERGE]
    for entity in dict.fromkeys(decision.entity for decision in merges):
        into = {decision.source_key: decision for decision in merges if decision.entity == entity}
        roots = {key: _root(key, into) for key in (*into, *(decision.entity_key for decision in into.values()))}
        ranks: dict[str, int] = {}
        listed = [Member(root, root, 0) for root in dict.fromkeys(roots.values())]
        for key, decision in into.items():
            ranks[roots[key]] = ranks.get(roots[key], 0) + 1
            listed.append(Member(key, roots[key], ranks[roots[key]], decision))
        by_entity[entity] = listed
    return by_entity


def _root(key: str, into: Mapping[str, Decision]) -> str:
    seen = {key}
    while key in into and into[key].entity_key not in seen:
        key = into[key].entity_key
        seen.add(key)
    return key


def root(key: str, entity: str, decisions: Iterable[Decision]) -> str:
    """Key of the survivor that a record belongs to; its own where it was not merged."""
    into = {
        decision.source_key: decision
        for decision in in_effect(decisions)
        if decision.action == MERGE and decision.entity == entity
    }
    return _root(key, into)


def kept_apart(decisions: Iterable[Decision], entity: str) -> set[frozenset[str]]:
    """Pairs of survivors that someone has decided to keep apart."""
    decisions = list(decisions)
    return {
        frozenset((root(decision.source_key, entity, decisions), root(decision.entity_key, entity, decisions)))
        for decision in in_effect(decisions)
        if decision.action == KEEP_APART and decision.entity == entity
    }
