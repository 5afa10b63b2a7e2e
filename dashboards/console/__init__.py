"""The staff console: one web server beside the gateway, which it reads and asks, and which works without it."""
