"""The shipped contracts on exports of the shape that they are for: states, deleted records, currencies, touches."""

from __future__ import annotations

from datetime import datetime

import pytest

from conftest import ROOT

NOW = datetime(2025, 7, 1)
HUBSPOT = {
    "company_data.csv": "id,is_deleted,property_name,property_createdate\n"
    "C1,false,Tarn Foods,2024-01-01 09:00:00\nC2,false,Orrin Steel,2024-01-01 09:00:00\nC3,true,Gone,2024-01-01 09:00:00\n",
    "deal_pipeline_stage_data.csv": "stage_id,label,closed_won,is_closed\n"
    "st1,Proposal,FALSE,FALSE\nst2,Signed,TRUE,TRUE\nst3,No,FALSE,TRUE\n",
    "deal_company_data.csv": "company_id,deal_id,type_id\nC1,D1,5\nC2,D2,5\nC2,D3,5\n",
    "deal_data.csv": "deal_id,is_deleted,deal_pipeline_stage_id,owner_id,property_amount,property_deal_currency_code,"
    "property_closedate,property_createdate\n"
    "D1,false,st2,o1,100,USD,2025-03-01 09:00:00,2025-01-01 09:00:00\n"
    "D2,false,st3,o1,200,USD,2025-03-01 09:00:00,2025-01-01 09:00:00\n"
    "D3,false,st1,o1,300,USD,,2025-01-01 09:00:00\n"
    "D4,true,st2,o1,400,USD,2025-03-01 09:00:00,2025-01-01 09:00:00\n"
    "D5,false,,o1,500,USD,,2025-01-01 09:00:00\n"
    "D6,false,st2,o1,600,EUR,2025-03-01 09:00:00,2025-01-01 09:00:00\n",
    "engagement_call_data.csv": "engagement_id,_fivetran_deleted,property_hs_timestamp,type\n"
    "E1,false,2025-02-01 09:00:00,CALL\nE2,true,2025-02-01 09:00:00,CALL\n",
    "engagement_company_data.csv": "company_id,engagement_id\nC1,E1\n",
    "engagement_deal_data.csv": "deal_id,engagement_id\nD1,E1\n",
    "engagement_task_data.csv": "engagement_id,property_hs_timestamp,type\nE9,2025-06-01 09:00:00,TASK\n",
}
SALESFORCE = {
    "sf_account_data.csv": "id,name,industry,is_deleted,master_record_id\n"
    "0015f00000Bx7aQAAR,Tarn Foods,Food,false,\n0015f00000Bx7aRAAR,Tarn Foods Ltd,Food,true,0015f00000Bx7aQAAR\n",
    "sf_opportunity_data.csv": "id,account_id,amount,close_date,created_date,is_closed,is_deleted,is_won,stage_name,owner_id\n"
    "0065f00000Cy1tXAAR,0015f00000Bx7aQAAR,100,2025-03-01,2025-01-01,true,false,true,Closed Won,o1\n"
    "0065f00000Cy1tYAAR,0015f00000Bx7aQAAR,900,2025-03-01,2025-01-01,true,true,true,Closed Won,o1\n"
    "0065f00000Cy1tZAAR,0015f00000Bx7aQAAR,300,2026-03-01,2025-01-01,false,false,false,Proposal,o1\n",
    "sf_event_data.csv": "id,account_id,what_id,activity_date,type,is_deleted\n"
    "E1,0015f00000Bx7aQAAR,0065f00000Cy1tXAAR,2025-02-01,Call,FALSE\n",
    "sf_lead_data.csv": "id,company,status,is_converted,converted_opportunity_id\n"
    "00Q5f00000Cy1tX,Tarn Foods,Converted,TRUE,0065f00000Cy1tXAAR\n",
}
CASES = {
    "hubspot_shaped": (
        HUBSPOT,
        [("D1", "C1", "won"), ("D2", "C2", "lost"), ("D3", "C2", "open")],
        [
            "currency: is not an accepted value: 'EUR'",
            "customer_id: is not a well-formed identifier: '(DELETED)C3'",
            "interaction_id: is not a well-formed identifier: '(DELETED)E2'",
            "lead_id: is not a well-formed identifier: '(DELETED)D4'",
            "status: is missing",
        ],
        [("E1", "C1", "D1")],
    ),
    "salesforce_shaped": (
        SALESFORCE,
        [
            ("0065F00000CY1TXAAR", "0015F00000BX7AQAAR", "won"),
            ("0065F00000CY1TZAAR", "0015F00000BX7AQAAR", "open"),
        ],
        [
            "customer_id: is not a well-formed identifier: '(DELETED)0015F00000BX7ARAAR'",
            "lead_id: is not a well-formed identifier: '(DELETED)0065F00000CY1TYAAR'",
        ],
        [("E1", "0015F00000BX7AQAAR", "0065F00000CY1TXAAR")],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_shipped_contract(to_silver, rows, name):
    files, deals, refused, touches = CASES[name]
    _, lake = to_silver(files, now=NOW, contracts=(ROOT / "examples" / name / "contract.odcs.yaml",))
    found = rows(lake, "select lead_id, customer_id, status from silver.leads_clean order by 1")
    assert [tuple(row.values()) for row in found] == deals
    said = rows(lake, "select unnest(reasons) as reason from silver.quarantine order by 1")
    assert [row["reason"] for row in said] == refused
    found = rows(lake, "select interaction_id, customer_id, lead_id from silver.interactions_clean")
    assert [tuple(row.values()) for row in found] == touches


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__]))
