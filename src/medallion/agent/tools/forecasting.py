"""What is expected to be won: open deals by month, or the revenue of a period."""

from __future__ import annotations

from medallion.agent.facts import Field, Found
from medallion.agent.tools.findings import Findings
from medallion.agent.tools.prepared import ATTAINMENT, DEALS, SCORES
from medallion.errors import MedallionError
from medallion.weights import ScoreWeights


class Forecasting(Findings):
    """What is expected to be won."""

    def pipeline_forecast(self, period: str | None = None, by: str | None = None, owner: str | None = None) -> Found:
        """What is expected to be won: open deals by the month of their expected close, or the revenue of a period.

        Of a period: won so far, expected from open deals and from deals not opened yet, all of it with its 80% interval, and
        the quota where there is one; the figures of `medallion forecast`.

        Args:
            period: A month, quarter or year, such as `2025-Q3`; open deals by month without it.
            by: What the forecast of a period is split by: owner, product, source, industry, country, size_band, stage or
                quality.
            owner: Only this owner's part of the forecast of a period.

        Raises:
            MedallionError: The period or the split is none, or a split has no period.
        """
        if period is not None:
            return self._revenue_forecast(period, by, owner)
        if by is not None or owner is not None:
            raise MedallionError("a forecast by month is not split", "Name a period, such as 2025-Q3.")
        sql = (
            f"select coalesce(strftime(expected_close_date, '%Y-%m'), 'no date') as month, count(*) as open_deals, "
            f"sum(deal_value) as open_value, sum(weighted_value) as expected_value from {DEALS} "
            "where status = 'open' group by 1 order by 1"
        )
        fields = (
            Field("month", "Expected to close"), Field("open_deals", "Open deals", "number"),
            Field("open_value", "Value", "money"), Field("expected_value", "Expected value", "money"),
        )  # fmt: skip
        rows = self.serving.rows(sql)
        note = "The probability is of being won within the horizon of the forecast, whatever the expected date."
        return self.found(
            "pipeline_forecast", "Forecast of the pipeline", fields, ("month",), rows, (DEALS,), sql, (), note
        )

    def _revenue_forecast(self, period: str, by: str | None, owner: str | None = None) -> Found:
        from medallion.learning import forecasts  # numpy and pyspark, which no other tool needs

        if SCORES not in self.serving.versions:
            raise MedallionError("there are no scores to forecast from", "Run `medallion score` first.")
        if owner is not None and by not in (None, "owner"):
            raise MedallionError("the part of one owner is not split further", "Leave out one of the two.")
        by = "owner" if owner is not None else by
        tables = tuple(name for name in (DEALS, SCORES, ATTAINMENT) if name in self.serving.versions)
        self.serving.read(*tables)
        with self.serving.reading() as connection:
            forecast, _ = forecasts.read(
                connection, ScoreWeights().horizon_days, period, by, quotas=ATTAINMENT in tables, history=False
            )
        rows = forecast.groups if by else [forecast.total]
        if owner is not None:
            rows = [row for row in rows if str(row["owner"]).casefold() == owner.casefold()]
            if not rows:
                raise MedallionError(
                    f"no open or won deal of {forecast.period.name} belongs to {owner!r}", "Check the name."
                )
        labels = {
            "won": "Won so far",
            "open": "Expected from open deals",
            "new": "From deals not opened yet",
            "expected": "Expected in all",
            "low_80": "80% interval from",
            "high_80": "80% interval to",
            "quota": "Quota",
        }
        shown = [name for name in labels if name != "quota" or any(row["quota"] is not None for row in rows)]
        fields = tuple(Field(name, labels[name], "money") for name in shown)
        key = (Field(by, by.replace("_", " ").capitalize()),) if by else ()
        shown_rows = [{name: row[name] for name in (*((by,) if by else ()), *shown)} for row in rows]
        note = (
            f"As `medallion forecast --period {forecast.period.name}` computes it: by simulation over the open deals."
        )
        if forecast.unknown:
            note += f" {forecast.unknown} open deals have no probability or value and count as nothing."
        title = f"Revenue forecast, {forecast.period.first} to {forecast.period.last}"
        return self.found(
            "pipeline_forecast",
            title,
            (*key, *fields),
            (by,) if by else (),
            shown_rows,
            tables,
            "",
            (forecast.period.name,),
            note,
        )
