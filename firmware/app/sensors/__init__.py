"""Drivers: a bus as argument, phases that say how long to wait (base), one schedule for all."""
