"""Records that were not touched for so long."""

from __future__ import annotations

from medallion.agent.planner.lexicon import Sense, folded, lexicon
from medallion.agent.planner.restricting import DAYS, ONE, OPS, Restricting
from medallion.agent.planner.slots import Threshold
from medallion.metrics import periods

#: Who did or did not do something, between the word that denies it and the verb.
_WHO = ("me", "past", "not", "first_person", "yes_no", "they", "thing", "to", "during", "prep", "more")
#: What happens to deals in a time, which a time beside silence may be of.
_DEEDS = frozenset({"create", "win", "lose", "close", "due", "move", "sell", "buy"})


class Silence(Restricting):
    """Reads who was not touched, and for how long."""

    def _silent(self) -> None:
        """Not touched for so long: a duration, or a time beside words for silence."""
        quiet = [place for place in range(len(self.spans)) if self._says(place, "not", "lately")]
        quiet = quiet or self._not_touched() or self._untouched_for()
        if self._without_kind() or self._untouched_in(quiet):
            return
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
            self.use(*quiet, *[at for at in (quiet[-1] + 1,) if self._says(at, "verb", "get")])
            self._own_objects()

    def _is_age(self, before: int, after: int) -> bool:
        """Whether a duration between two places is the age of records: `older than 30 days`, `30 days old`."""
        sign = self.has(before, "gt", "lt")
        aged = sign is not None and sign.name == "age" and not self._says_since(before)
        return aged or self.has(after, "field") == Sense("field", "age_days")

    def _without_kind(self) -> bool:
        """`customers without a meeting in 2025`, `whom we have not called this month`: no touches of a kind, in a time or ever."""
        kinds = [at for at, span in enumerate(self.spans) if span.of("kind")]
        for place in self.places("no", "not", "never"):
            at = place + 1
            while at < len(self.spans) and (self.spans[at].used or self.quiet(at) or self.spans[at].of(*_WHO)):
                at += 1
            sense = self.has(at, "done", "kind")
            if sense is None or len(kinds) > 1 or (kinds and kinds != [at]) or not self._names_records():
                continue
            if len(self.times) > 1 or self.places("outcome", "direction", "booked", "metric"):
                continue
            if (self.times and self._has_deed()) or self._by_them(at):
                continue
            self.without = (sense.name, self.times[0].text if self.times else "")
            if sense.kind == "done" and sense.name in ("call", "email"):  # whom we have not called
                self.notes.append(f"A{'n' * (sense.name == 'email')} {sense.name} counts whichever side made it.")
            self.times = []
            self.use(*(p for p in range(place, at + 1) if not self.spans[p].of("me")))
            self._use_around(place, at)
            return True
        return False

    def _untouched_in(self, quiet: list[int]) -> bool:
        """`accounts not touched this quarter`, `in May`: no touches in a time, which is not only one from a day on."""
        if not quiet:
            quiet = [at for at in range(len(self.spans)) if self._says(at, "state", "untouched")]
        if (
            not quiet
            or len(self.times) != 1
            or self._has_deed()
            or not self._names_records()
            or any(map(self._duration, range(len(self.spans))))
        ):
            return False
        span = periods.read(self.times[0].text, self.today)
        since = self.times[0].text.split()[0] in ("last", "since")
        if self.today.day is None or (since and not (span.last and span.last < self.today.day)):
            return False
        self.without = ("", self.times[0].text)
        self.times = []
        self.use(*quiet)
        self._use_around(quiet[0], quiet[-1])
        return True

    def _has_deed(self) -> bool:
        """Whether something happens to the records that are asked for, which a time may be of: won, due, opened."""
        verbs = [span for span in self.spans if span.of("verb") and not span.of("touch")]
        states = {sense.name for span in self.spans for sense in span.all("state")}
        return any({sense.name for sense in span.all("verb")} & _DEEDS for span in verbs) or bool(
            states & {"new", "won", "lost", "closed", "due", "bought"}
        )

    def _by_them(self, place: int) -> bool:
        """Whether the touch at a place is one of theirs with us: `who have not called us`, `no calls to us`."""
        after = place + 1
        while self.has(after, "to", "prep"):
            after += 1
        return after < len(self.spans) and self.spans[after].of("ours", "ourselves", "to_us") is not None

    def _use_around(self, first: int, last: int) -> None:
        """Use what says that touches were or were not had: `where we have had no meeting`, `no activity logged`."""
        self.use(
            *[
                at
                for at in (first - 1, last + 1)
                if self.has(at, "past", "with", "verb") and not self._says(at, "verb", "own") and not self._is_deed(at)
            ]
        )
        self.take("still", "whom")
        for place in self.places("they"):  # customers with whom we had no meeting
            if self.has(place - 1, "with") and any(span.of("entity") for span in self.spans[:place]):
                self.use(place - 1, place)
        self._own_objects()

    def _is_deed(self, place: int) -> bool:
        """Whether a verb says what happened to deals: `did we win without a meeting`."""
        return bool({sense.name for sense in self.spans[place].all("verb")} & _DEEDS)

    def _names_records(self) -> bool:
        """Whether accounts or deals are named, none of them by its name."""
        named = [sense.name for span in self.spans for sense in span.all("entity")]
        return not self.about and bool({*named} & {"accounts", "deals"})

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
