"""Deals by bands of what they are worth: `under 20k vs over 100k`, `under 10k, 10-50k, over 50k`."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from medallion.agent.planner.lexer import Span
from medallion.agent.planner.lexicon import Sense
from medallion.agent.planner.marking import DASHES
from medallion.agent.planner.restricting import OPS
from medallion.agent.planner.silence import Silence
from medallion.agent.planner.slots import Threshold

_VALUE = "deal_value"
#: Two numbers joined by a dash.
_BARE = re.compile(r"(\d+)-(\d+)")
_INVERSE = {">": "<=", ">=": "<", "<": ">=", "<=": ">"}
#: Words that lead from one band to the next.
_JOINTS = ("comma", "and", "or", "vs", "gt", "lt")


class _Band(NamedTuple):
    """A band of values, from a place up to another."""

    first: int
    end: int
    limits: tuple[Threshold, ...]


class Banding(Silence):
    """Reads bands of values, each of which is asked about."""

    def _bands(self) -> None:
        """Two or more bands, or one and what is below or above it."""
        self._part_bare_bands()
        bands: list[_Band] = []
        place = 0
        while place < len(self.spans):
            band = self._band_at(place)
            bands += [band] if band else []
            place = band.end if band else place + 1
        if not bands or not self._is_of_value(bands):
            return
        if len(bands) == 1:
            self._complement(bands[0])
            return
        between = [at for band, after in pairwise(bands) for at in range(band.end, after.first)]
        joints = [at for at in between if self.has(at, *_JOINTS)]
        if beyond := self._beyond(bands[-1]):
            between += range(bands[-1].end, beyond.end)
            bands.append(beyond)
            joints.append(beyond.first)
        others = [at for at in between if at not in joints and not self.quiet(at) and not self._names_deals_at(at)]
        if others or len(joints) < len(bands) - 1 or self._is_range(bands, joints):
            return
        self.bands = [band.limits for band in bands]
        self._use_bands(bands, between)
        self._contrasts(joints)

    def _part_bare_bands(self) -> None:
        """`under 10k, 10-50, over 50k`: numbers joined by a dash are bands of what the others count."""
        counts = {span.of("magnitude") for span in self.spans if span.of("magnitude")}
        signs = any(span.of("gt", "ge", "lt", "le") for span in self.spans)
        if len(counts) != 1 or not signs:
            return
        (count,) = counts
        for place in reversed(range(len(self.spans))):
            span = self.spans[place]
            if span.used or not (parts := _BARE.fullmatch(span.text)) or span.of("value"):
                continue
            low, high = (Sense("number", number) for number in parts.groups())
            pieces = [(parts[1], (low,)), ("-", ()), (parts[2], (high,)), (count.name, (count,))]  # type: ignore[union-attr]
            of_band = [Span(text, senses, span.first, span.last) for text, senses in pieces]  # type: ignore[arg-type]
            of_band[-1].ends = span.ends
            self.spans[place : place + 1] = of_band

    def _beyond(self, last: _Band) -> _Band | None:
        """`..., above`: what is worth more than the last band, said without a number at the end."""
        tops = [limit for limit in last.limits if limit.op in ("<", "<=")]
        joint = last.end
        at = joint
        while self.has(at, "comma", "and") or (at < len(self.spans) and at > joint and self.quiet(at)):
            at += 1
        ends = at > joint and self.has(at, "gt", "beyond") and at + 1 == len(self.spans)
        if not tops or not ends:
            return None
        return _Band(at, at + 1, (Threshold(_VALUE, ">", tops[0].value, tops[0].money),))

    def _is_range(self, bands: list[_Band], joints: list[int]) -> bool:
        """Whether two limits are the ends of one range: over 50k and under 100k."""
        limits = [band.limits[0] for band in bands if len(band.limits) == 1]
        if len(limits) != 2 or len(bands) != 2 or any(self.spans[at].of("vs", "gt", "lt") for at in joints):
            return False
        low, high = sorted(limits, key=lambda limit: limit.op[0], reverse=True)
        return (low.op[0], high.op[0]) == (">", "<") and float(low.value) < float(high.value)

    def _use_bands(self, bands: list[_Band], between: list[int]) -> None:
        self.use(*between, *[at for band in bands for at in range(band.first, band.end)])
        for place in self.places("field"):
            by = self.near(place, -1)
            if self.has(place, "field") == Sense("field", _VALUE) and self.has(by, "by"):
                self.use(place, by)  # by deal size: under 10k, over 10k
        for place in self.places("dim"):
            by = self.near(place, -1)
            if self.has(place, "dim") == Sense("dim", "size_band") and self.has(by, "by"):
                self.use(place, by)

    def _complement(self, band: _Band) -> None:
        """`above 100k ... than of smaller ones`: all others are the second band."""
        for place in self.places("complement"):
            sense = self.spans[place].of("complement")
            limit = band.limits[0]
            beyond = {">": "small", "<": "big"}[limit.op[0]] if len(band.limits) == 1 else ""
            if sense and beyond and sense.name in (beyond, "other"):
                inverse = Threshold(_VALUE, _INVERSE[limit.op], limit.value, limit.money)
                self.bands = [band.limits, (inverse,)]
                joint = self.near(place, -1)
                joints = [place, *([joint] if self.has(joint, "gt", "lt") else [])]
                self._use_bands([band], joints)
                self._contrasts(joints)
                return

    def _contrasts(self, joints: list[int]) -> None:
        """Whether the first of two bands is to have more than the second, or less."""
        signs = self.places("more", "fewer") + [at for at in joints if self.spans[at].of("gt", "lt")]
        if len(self.bands) == 2 and len(signs) == 1:
            self.contrast = "fewer" if self.spans[signs[0]].of("fewer", "lt") else "more"
            self.use(*signs)
            self.use(*[at for at in (signs[0] - 1,) if self.has(at, "total")])  # any worse

    def _is_of_value(self, bands: list[_Band]) -> bool:
        """Whether bands are of what deals are worth, not of another column or of time."""
        other = [at for at in self.places("field") if self.has(at, "field") != Sense("field", _VALUE)]
        money = all(limit.money for band in bands for limit in band.limits)
        return not other and (money or any(map(self._names_deals_at, range(len(self.spans)))))

    def _names_deals_at(self, place: int) -> bool:
        return self.has(place, "entity") == Sense("entity", "deals")

    def _band_at(self, place: int) -> _Band | None:
        """A band that begins at a place: `under 10k`, `between 10k and 50k`, `10-50k`, `50k or more`."""
        sign = self.has(place, "gt", "ge", "lt", "le", "between", "from")
        at = self.near(place, 1) if sign else place
        number = self._number(at) if at < len(self.spans) else None
        if number is None or number[2] or (sign and sign.name == "age"):
            return None
        end = number[3]
        if sign and sign.kind in OPS:
            limits = [(OPS[sign.kind], number)]
        elif more := self.has(end, "or_more", "or_less"):
            limits, end = [(">=" if more.kind == "or_more" else "<=", number)], end + 1
        else:
            joint = end if end < len(self.spans) and self.spans[end].text in DASHES else self.near(end - 1, 1)
            joins = self.has(joint, "and" if sign and sign.kind == "between" else "to") or self._is_pause(joint)
            other = self._number(joint + 1) if joins else None
            if other is None or other[2]:
                return None
            limits, end = [(">=", self._scaled_as(number, at, other, joint + 1)), ("<=", other)], other[3]
        if self.has(end, "unit") or self.has(end, "percent"):
            return None
        return _Band(place, end, tuple(Threshold(_VALUE, op, value[0], value[1]) for op, value in limits))

    def _is_pause(self, place: int) -> bool:
        return place < len(self.spans) and self.spans[place].text in DASHES
