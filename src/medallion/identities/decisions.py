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
    known = [one for one in decisions if before is None or one.decided_at < before]
    undone = {one.undoes for one in known if one.action == UNDO}
    left = [one for one in known if one.action != UNDO and one.decision_id not in undone]
    return sorted(left, key=lambda one: (one.decided_at, one.decision_id))


def members(decisions: Iterable[Decision], before: datetime | None = None) -> dict[str, list[Member]]:
    """Per entity the records that are merged, survivors among them.

    Every merge leads from the survivor of one group to that of another, so that without one of them the rest still holds.
    """
    found: dict[str, list[Member]] = {}
    merges = [one for one in in_effect(decisions, before) if one.action == MERGE]
    for entity in dict.fromkeys(one.entity for one in merges):
        into = {one.source_key: one for one in merges if one.entity == entity}
        roots = {key: _root(key, into) for key in (*into, *(one.entity_key for one in into.values()))}
        ranks: dict[str, int] = {}
        listed = [Member(root, root, 0) for root in dict.fromkeys(roots.values())]
        for key, one in into.items():
            ranks[roots[key]] = ranks.get(roots[key], 0) + 1
            listed.append(Member(key, roots[key], ranks[roots[key]], one))
        found[entity] = listed
    return found


def _root(key: str, into: Mapping[str, Decision]) -> str:
    seen = {key}
    while key in into and into[key].entity_key not in seen:
        key = into[key].entity_key
        seen.add(key)
    return key


def root(key: str, entity: str, decisions: Iterable[Decision]) -> str:
    """Key of the survivor that a record belongs to; its own where it was not merged."""
    into = {one.source_key: one for one in in_effect(decisions) if one.action == MERGE and one.entity == entity}
    return _root(key, into)


def kept_apart(decisions: Iterable[Decision], entity: str) -> set[frozenset[str]]:
    """Pairs of survivors of which someone has said that they are two."""
    decisions = list(decisions)
    return {
        frozenset((root(one.source_key, entity, decisions), root(one.entity_key, entity, decisions)))
        for one in in_effect(decisions)
        if one.action == KEEP_APART and one.entity == entity
    }
