"""The exports of two reps: accounts, deals, touches, contacts, owners, quotas and line items of each."""

from __future__ import annotations

#: What is another's has a Z in its key and SECRET in its texts; what is personal says PERSON.
FILES = {
    "customers.csv": "customer_id,customer_name,account_manager,email\n"
    "C1,Acme Works,Ann Lee,acme-PERSON@a.example\nC2,Shared Freight,Max Poole,b@b.example\nZ1,SECRET Labs,Max Poole,z@z.example\n",
    "leads.csv": "lead_id,customer_id,lead_name,email,status,stage,deal_value,created_at,closed_at,owner,product_id\n"
    "L1,C1,Ada PERSON,p-PERSON@a.example,won,closed_won,1000,2025-01-05,2025-02-01,U1,P-1\n"
    "L2,C2,Bea PERSON,q-PERSON@b.example,open,proposal,5000,2025-03-05,,ann@us.example,P-1\n"
    "Z2,C2,SECRET deal,z@z.example,won,closed_won,4321,2025-01-07,2025-02-02,Max Poole,P-1\n"
    "Z3,Z1,SECRET too,z@z.example,open,proposal,90009,2025-03-07,,U2,P-1\n",
    "products.csv": "product_id,product_name,list_price\nP-1,Suite,500\n",
    "interactions.csv": "interaction_id,customer_id,lead_id,channel,occurred_at,outcome,notes,contact_id\n"
    "I1,C1,L1,call,2025-01-10,positive,spoke with PERSON,K1\nI2,C2,,email,2025-06-20,neutral,wrote to PERSON,K2\n"
    "Z4,C2,Z2,call,2025-06-10,positive,SECRET,K2\nZ5,Z1,Z3,meeting,2025-06-21,positive,SECRET,Z6\n",
    "contacts.csv": "contact_id,customer_id,first_name,last_name,email,phone,job_title,role,consent\n"
    "K1,C1,Ada,PERSON,ada-PERSON@a.example,+15551002000,Head of PERSON,decision_maker,granted\n"
    "K2,C2,Bea,PERSON,bea-PERSON@b.example,,,champion,denied\n"
    "Z6,Z1,SECRET,PERSON,z-PERSON@z.example,,,champion,granted\n",
    "users.csv": "User ID,Full Name,Email,Team,Manager ID,Active\n"
    "U1,Ann Lee,ann@us.example,East,U2,true\nU2,Max Poole,max@us.example,West,,true\n",
    "quotas.csv": "Sales Rep,Team,Period,Quota\nAnn Lee,,2025-Q1,1500\nMax Poole,,2025-Q1,80008\n,West,2025,90009\n",
    "opportunity_contact_roles.csv": "Id,OpportunityId,ContactId,Role,IsPrimary\nR1,L1,K1,Decision Maker,true\nZ7,Z3,Z6,Champion,true\n",
    "line_items.csv": "Deal ID,Product Code,Quantity,Price\nL1,P-1,2,100\nZ3,P-1,9,10001\n",
}
