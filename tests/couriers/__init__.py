"""Couriers, their cards, readers and days, honest and not: what tests of visits are made of."""
