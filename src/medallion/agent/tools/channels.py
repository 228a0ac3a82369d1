"""What each channel brings."""

from __future__ import annotations

from medallion.agent.facts import Field, Found
from medallion.agent.tools.findings import Findings


class Channels(Findings):
    """What channels bring."""

    def compare_channels(self) -> Found:
        """What each channel brings: touches, positive rate with its interval, revenue shared among touches."""
        sql = (
            "select channel, interactions, positive_touches, positive_rate, positive_rate_low, positive_rate_high, attributed_revenue, "
            "average_duration_minutes from gold.channel_performance where interactions > 0 "
            "order by positive_rate desc nulls last, channel"
        )
        fields = (
            Field("channel", "Channel"), Field("interactions", "Touches", "number"),
            Field("positive_touches", "Positive touches", "number"), Field("positive_rate", "Positive rate", "percent", 1),
            Field("positive_rate_low", "at least (95%)", "percent", 1),
            Field("positive_rate_high", "at most (95%)", "percent", 1),
            Field("attributed_revenue", "Attributed revenue", "money"),
            Field("average_duration_minutes", "Minutes per touch", "number", 1),
        )  # fmt: skip
        rows = self.serving.rows(sql)
        finding = self.found(
            "compare_channels", "Channels", fields, ("channel",), rows, ("gold.channel_performance",), sql
        )
        apart = [r for r in rows[1:] if rows[0]["positive_rate_low"] > r["positive_rate_high"]] if rows else []
        note = "Intervals overlap: the differences may be chance." if rows and len(apart) < len(rows) - 1 else ""
        return Found(**{**finding.__dict__, "note": note})
