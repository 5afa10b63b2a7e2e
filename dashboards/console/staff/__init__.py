"""Pages of the staff, live: ledger, one visit, review queue, plan."""
