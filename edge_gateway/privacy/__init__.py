"""What is personal: kept sealed, kept no longer than its time, given out to its person, and erased everywhere."""
