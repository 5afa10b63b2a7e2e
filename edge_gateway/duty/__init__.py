"""The duty list: who is told of an alert at an hour of a day, by shifts, holidays and leave."""

from edge_gateway.duty.chain import chain, chain_of_test
from edge_gateway.duty.roster import Leave, Roster, Shift

__all__ = ["Leave", "Roster", "Shift", "chain", "chain_of_test"]
