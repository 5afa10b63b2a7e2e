"""Dashboards and rules brought into a Grafana that already runs: compared first, then only what differs is changed.

wanted    what should be there, with the secrets filled in
client    the calls to Grafana, with our errors
same      whether what is there is what should be there
plan      what would change, read only
preflight each rule's queries run once in Grafana, nothing saved
apply     the changes, in an order in which nothing names what is not there yet
"""
