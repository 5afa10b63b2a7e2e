"""Looking at the watching itself: how often it would have called for nothing, and how late it would have called."""
