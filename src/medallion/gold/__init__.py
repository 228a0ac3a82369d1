"""Gold tables, one module each, named as the table."""

from medallion.gold.attribution import attribution
from medallion.gold.channel_performance import channel_performance
from medallion.gold.customer_features import customer_features
from medallion.gold.deals import deals
from medallion.gold.lead_scores import lead_scores
from medallion.gold.sales_summary import sales_summary
from medallion.gold.stage_history import stage_history
from medallion.gold.top_customers import top_customers
from medallion.gold.touch_days import touch_days
from medallion.gold.touch_totals import touch_totals

__all__ = [
    "attribution",
    "channel_performance",
    "customer_features",
    "deals",
    "lead_scores",
    "sales_summary",
    "stage_history",
    "top_customers",
    "touch_days",
    "touch_totals",
]
