"""The rule score's weights: one place, sensible defaults, overridable in config.yaml."""

from __future__ import annotations

from math import isclose
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

Weight = Annotated[float, Field(ge=-1, le=2)]
Days = Annotated[float, Field(gt=0, le=3650)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Parts(_Strict):
    """Points that each part of the score is worth; they add up to 100."""

    fit: Annotated[float, Field(ge=0, le=100)] = 30
    engagement: Annotated[float, Field(ge=0, le=100)] = 35
    recency: Annotated[float, Field(ge=0, le=100)] = 20
    intent: Annotated[float, Field(ge=0, le=100)] = 15

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        if not isclose(total := self.fit + self.engagement + self.recency + self.intent, 100, abs_tol=1e-6):
            raise ValueError(f"fit, engagement, recency and intent add up to {total:g}, not to 100")
        return self


class Fit(_Strict):
    """Shares of source, size and reachability within fit; they add up to 1."""

    source: Annotated[float, Field(ge=0, le=1)] = 0.5
    size: Annotated[float, Field(ge=0, le=1)] = 0.3
    reach: Annotated[float, Field(ge=0, le=1)] = 0.2

    @model_validator(mode="after")
    def _add_up(self) -> Self:
        if not isclose(total := self.source + self.size + self.reach, 1, abs_tol=1e-6):
            raise ValueError(f"source, size and reach add up to {total:g}, not to 1")
        return self


class Bands(_Strict):
    """Lowest score of each quality band; below `cool` is Cold.

    Attributes:
        quarters_from: Open deals from which on the bands are quarters of these by score instead; None is never. Thresholds
            other than the shipped ones hold however many deals are open, unless this is named beside them.
    """

    hot: int = 80
    warm: int = 60
    cool: int = 40
    quarters_from: Annotated[int, Field(gt=0)] | None = 200

    @model_validator(mode="before")
    @classmethod
    def _own_thresholds_hold(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "quarters_from" in given:
            return given
        shipped = {name: cls.model_fields[name].default for name in ("hot", "warm", "cool")}
        own = any(given.get(name, default) != default for name, default in shipped.items())
        return {**given, "quarters_from": None} if own else given

    @model_validator(mode="after")
    def _fall(self) -> Self:
        if not 100 >= self.hot > self.warm > self.cool > 0:
            raise ValueError(f"hot {self.hot}, warm {self.warm} and cool {self.cool} do not fall from 100 to 0")
        return self


class ScoreWeights(_Strict):
    """Everything the rule score is made of.

    A mapping that is given changes the weights that it names; the others keep their defaults. A source or channel
    without a weight, which a contract has added, weighs as `other`.
    """

    parts: Parts = Parts()
    fit: Fit = Fit()
    bands: Bands = Bands()
    source: dict[str, Weight] = {
        "referral": 1.0, "website": 0.8, "event": 0.8, "linkedin": 0.7, "email": 0.6, "cold_call": 0.4, "other": 0.5,
    }  # fmt: skip
    size: dict[str, Weight] = {"1-50": 0.5, "51-200": 0.8, "201-1000": 1.0, "1000+": 1.0, "unknown": 0.5}
    channel: dict[str, Weight] = {"call": 1.0, "meeting": 1.0, "whatsapp": 0.8, "email": 0.6, "other": 0.5}
    outcome: dict[str, Weight] = {
        "meeting_booked": 1.5, "positive": 1.25, "neutral": 1.0, "no_answer": 0.3, "negative": -0.5,
    }  # fmt: skip
    intent: dict[str, Weight] = {
        "meeting_booked": 1.0, "positive": 0.8, "neutral": 0.4, "no_answer": 0.1, "negative": 0.0,
    }  # fmt: skip
    engagement_half_life_days: Days = 45
    engagement_full: Annotated[float, Field(gt=0)] = 2
    recency_grace_days: Annotated[float, Field(ge=0)] = 14
    recency_half_life_days: Days = 30
    intent_window_days: Annotated[int, Field(gt=0)] = 60
    horizon_days: Annotated[int, Field(gt=0)] = 90
    prior_leads: Annotated[float, Field(gt=0)] = 10

    @field_validator("source", "size", "channel", "outcome", "intent", mode="before")
    @classmethod
    def _over_the_defaults(cls, given: Any, info: ValidationInfo) -> Any:
        if not isinstance(given, dict):
            return given
        known = cls.model_fields[str(info.field_name)].default
        unknown = [str(name) for name in given if name not in known]
        if unknown and info.field_name not in ("source", "channel"):
            raise ValueError(f"{unknown[0]} is not one of {', '.join(known)}")
        return {**known, **given}
