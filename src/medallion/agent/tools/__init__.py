"""The agent's tools: plain functions over PII-free gold, each of which gives findings with receipts.

They read, and they never write; what should change in a CRM is proposed (`medallion.care.proposals`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from medallion.agent.tools.accounts import Accounts
from medallion.agent.tools.call_plan import CallPlan
from medallion.agent.tools.channels import Channels
from medallion.agent.tools.forecasting import Forecasting
from medallion.agent.tools.own_sql import OwnSql
from medallion.agent.tools.questions import Questions


class Tools(CallPlan, Accounts, Questions, Channels, Forecasting, OwnSql):
    """The tools of one conversation."""


#: What a model or a client may call, by name.
READING: tuple[Callable[..., Any], ...] = (
    Tools.call_plan,
    Tools.account_brief,
    Tools.metric_value,
    Tools.records,
    Tools.top_customers,
    Tools.compare_channels,
    Tools.explain_score,
    Tools.find_customer,
    Tools.pipeline_forecast,
    Tools.run_safe_sql,
)
