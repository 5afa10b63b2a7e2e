"""Visits: a tap is judged, matched with the plan, and written into a ledger that keeps what was there before."""
