"""Visits for the office: plans from a table file, the month sheet, and its proof on another machine."""
