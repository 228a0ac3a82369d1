"""Records that were not touched for so long."""

from __future__ import annotations

from medallion.agent.planner.lexicon import Sense, folded, lexicon
from medallion.agent.planner.restricting import DAYS, ONE, OPS, Restricting
from medallion.agent.planner.slots import Threshold
from medallion.metrics import periods


class Silence(Restricting):
    """Reads who was not touched, and for how long."""

    def _silent(self) -> None:
        """Not touched for so long: a duration, or a time beside words for silence."""
        quiet = [place for place in range(len(self.spans)) if self._says(place, "not", "lately")]
        quiet = quiet or self._not_touched() or self._untouched_for()
        if not quiet:
            return
        for place in range(len(self.spans)):
            days = self._duration(place)
            if days is None:
                continue
            first, count = days
            op = ">"
            before = self.near(place, -1)
            if self._is_age(before, first):
                continue
            if sign := self.has(before, "gt", "ge"):
                op = OPS[sign.kind]
                self.use(before)
            self.use(*range(place, first))
            if op == ">" and self.has(first, "or_more"):  # in 10 days or more
                op = ">="
                self.use(first)
            at = place - 1
            while at >= 0 and (self.spans[at].used or self.quiet(at) or self.has(at, "since", "within", "during")):
                if self.has(at, "since", "within", "during"):
                    self.use(at)
                at -= 1
            self._silence(op, count, quiet)
            return
        for time in self.times:
            span = periods.read(time.text, self.today)
            if span.first and self.today.day and time.text.split()[0] in ("last", "since"):
                count = (self.today.day - span.first).days
                self._silence(">", count, quiet)
                self.times = [other for other in self.times if other is not time]
                return
        fresh = any(Sense("state", "new") in span.senses for span in self.spans)  # new leads of this month
        if (fresh or not self.times) and not any(self.spans[place].of("state") for place in quiet):
            self.states.append(("untouched", True))  # who has not been contacted
            self.use(*quiet)
            self._own_objects()

    def _is_age(self, before: int, after: int) -> bool:
        """Whether a duration between two places is the age of records: `older than 30 days`, `30 days old`."""
        sign = self.has(before, "gt", "lt")
        aged = sign is not None and sign.name == "age" and not self._says_since(before)
        return aged or self.has(after, "field") == Sense("field", "age_days")

    def _says_since(self, place: int) -> bool:
        """Whether a phrase begins with a word such as since, which beside silence tells how long it is: `seit über 30 Tagen`."""
        words, phrases = self.spans[place].text.split(), lexicon(self.lexed.language).phrases
        return Sense("since") in phrases.get((folded(words[0]),), ())

    def _not_touched(self) -> list[int]:
        """A word that denies and the verb for contact that it denies, with who asks between them: `havent I talked to`."""
        for place in self.places("not", "no", "never"):
            at = self.near(place, 1, over=("me", "past", "not", "first_person", "yes_no", "they"))
            if self.has(at, "verb") and Sense("verb", "touch") in self.spans[at].senses:
                return [*(p for p in range(place, at) if self.has(p, "not", "no", "never", "past")), at]
        return []

    def _untouched_for(self) -> list[int]:
        """A word for what was not touched, right before so many days: `have not touched in 30 days`."""
        for place in self.places("state"):
            after = self.near(place, 1, over=("since", "within", "during"))
            if self._says(place, "state", "untouched") and after < len(self.spans) and self._duration(after):
                return [place]
        return []

    def _silence(self, op: str, days: int, quiet: list[int]) -> None:
        self.thresholds.append(Threshold("days_silent", op, str(days)))
        self.use(*quiet)
        self._own_objects()

    def _own_objects(self) -> None:
        """Use the pronouns of who was not touched, who are named before: `accounts where nobody has talked to them`."""
        for place in self.places("they"):
            if self.is_own_object(place):
                self.use(place, *([place - 1] if self.has(place - 1, "with") else []))

    def is_own_object(self, place: int) -> bool:
        """Whether a pronoun is of the records that the question names before it, in words for silence."""
        named = any(span.of("entity") for span in self.spans[:place])
        around = self.spans[max(place - 3, 0) : place + 8]
        touching = any(Sense("verb", "touch") in span.senses or span.of("state", "untouched") for span in around)
        return named and touching and any(span.of("not", "no", "never") for span in self.spans)

    def _duration(self, place: int) -> tuple[int, int] | None:
        """Where a number of days, weeks or months ends, and how many days they are."""
        number = self.has(place, "number", "num")
        unit = self.has(place + 1, "unit")
        if number and unit and unit.name in DAYS and number.name.isdigit():
            return place + 2, int(number.name) * DAYS[unit.name]
        single_unit = self.has(place, "unit") if unit is None and place else None
        if single_unit and single_unit.name in DAYS and self.spans[place - 1].text.casefold() in ONE:
            return place + 1, DAYS[single_unit.name]
        return None
