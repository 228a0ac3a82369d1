"""What a deployment would do, and what a workspace has under a name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from medallion.deploy.workspace import told
from medallion.errors import extra

with extra("databricks", "Databricks"):
    from databricks.sdk.errors import NotFound


@dataclass(frozen=True)
class Change:
    """Something that a deployment would do: what, its name, `create` or `update`, and how to do it."""

    kind: str
    name: str
    action: str
    reason: str
    do: Callable[[], None]

    def as_dict(self) -> dict[str, str]:
        """The change without how to do it."""
        return {"kind": self.kind, "name": self.name, "action": self.action, "reason": self.reason}


def there(get: Callable[[str], Any], name: str, what: str) -> Any:
    """What the workspace has under a name, None when there is nothing."""
    with told(what):
        try:
            return get(name)
        except NotFound:
            return None
