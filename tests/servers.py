"""Real brokers for tests, started on free ports of 127.0.0.1 in temporary folders."""
