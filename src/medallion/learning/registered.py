"""The registered models of a lakehouse: list them, and choose the active one."""

from __future__ import annotations

from typing import Any

from medallion import door
from medallion.config import Settings
from medallion.errors import LakehouseError
from medallion.pipeline import models
from medallion.scoring import registry


def versions(settings: Settings) -> list[dict[str, Any]]:
    """Every registered model: version, kind, outcomes up to, figures on later deals, and whether it is active."""
    where = models.folder(settings)
    if where is None:
        return []
    present = models.champion(settings)
    rows = []
    for name in registry.versions(where):
        try:
            entry = registry.load(where / name)
        except registry.EarlierModelError:
            rows.append({"version": name, "active": False, "kind": "of an earlier version of the product"})
            continue
        test = entry.evaluation.get("candidates", {}).get(entry.scorer.kind, {})
        rows.append(
            {
                "version": name,
                "active": present is not None and present.scorer.version == name,
                "kind": entry.scorer.kind,
                "learned_until": entry.as_of,
                "horizon_days": entry.scorer.horizon_days,
                "roc_auc": test.get("roc_auc"),
                "log_loss": test.get("log_loss"),
                "ece": test.get("ece"),
                "trained_on": entry.scorer.trained_on,
            }
        )
    return rows


def use(settings: Settings, version: str) -> None:
    """Activate a registered version from now on, or with `rules` none.

    Raises:
        LakehouseError: There is no such version, or it cannot be used.
    """
    where = models.folder(settings)
    if version == "rules":
        if where is not None:
            with door.through(where / "champion.json"):
                (where / "champion.json").unlink(missing_ok=True)
        return
    known = registry.versions(where) if where is not None else []
    if where is None or version not in known:
        raise LakehouseError(
            f"{version}: there is no such model", f"Known: {', '.join(known)}." if known else "Train one first."
        )
    registry.load(where / version)
    registry.crown(where, version)
