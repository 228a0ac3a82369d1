"""How much evidence there is, and which models it is enough for."""

from __future__ import annotations

from dataclasses import dataclass

from medallion.errors import MedallionError

#: Closed deals of each kind that a regression needs (the minimum of Dynamics 365).
MIN_WON = MIN_LOST = 40
#: Closed deals, and won ones among them, from which trees are tried (the minimum of Salesforce Einstein).
BOOST_LEADS, BOOST_WON = 1_000, 120


class NotReadyError(MedallionError):
    """There is too little to learn from; what is used instead is said."""

    exit_status = 3


INSTEAD = (
    "Until then each open deal has the shrunken conversion rate of its age, stage and score band, with its interval."
)


@dataclass(frozen=True)
class Evidence:
    """Closed deals with a close date, by outcome."""

    won: int
    lost: int

    def check(self) -> None:
        """Let a model be trained.

        Raises:
            NotReadyError: There are too few deals of one kind.
        """
        if self.won < MIN_WON or self.lost < MIN_LOST:
            raise NotReadyError(
                f"Too little to learn from: {self.won} won and {self.lost} lost deals, at least {MIN_WON} won and "
                f"{MIN_LOST} lost are needed",
                INSTEAD,
            )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Models that may be tried, the plainest first."""
        trees = self.won + self.lost >= BOOST_LEADS and self.won >= BOOST_WON
        return ("logistic", "xgboost") if trees else ("logistic",)
