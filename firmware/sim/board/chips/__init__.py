"""Simulated chips at the level of registers and frames: each shows what a function of the world says at that moment."""
