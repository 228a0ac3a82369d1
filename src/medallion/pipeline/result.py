"""What a run did."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from medallion import sources
from medallion.pipeline import proof


@dataclass
class Result:
    """What a run did. `changed` is false when there was nothing to do and no table was touched.

    `refused` are files that could not be read, `held` files that were held back, in this run or before, and `poor`
    files that were loaded although most of their rows were refused. `given_up` says which held files are no longer
    waited for, `rebuilt` which tables of gold were computed, each with why. `proof` is what the deals come to, where
    something was read or gold was computed; `first_proof` says that nothing was proved under these contracts before.
    """

    run_id: str
    changed: bool = False
    batch_id: str | None = None
    as_of: date | None = None
    files: list[str] = field(default_factory=list)
    already_known: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    refused: list[sources.Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    held: list[sources.Refusal] = field(default_factory=list)
    poor: list[sources.Refusal] = field(default_factory=list)
    given_up: list[str] = field(default_factory=list)
    new_columns: dict[str, list[str]] = field(default_factory=dict)
    missing_columns: dict[str, list[str]] = field(default_factory=dict)
    skipped_lines: dict[str, int] = field(default_factory=dict)
    contracts: list[str] = field(default_factory=list)
    unfed: list[str] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    recovered: list[str] = field(default_factory=list)
    rebuilt: dict[str, str] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    proof: proof.Proof | None = None
    first_proof: bool = False

    @property
    def wrong(self) -> list[tuple[str, sources.Refusal]]:
        """What is wrong with files, each with a label; not empty means exit status 1."""
        labels = (("Not read", self.refused), ("Held back", self.held), ("Refused", self.poor))
        return [(label, item) for label, items in labels for item in items]
