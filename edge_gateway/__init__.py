"""The edge gateway: one asyncio process between the broker and the database that loses nothing it has acknowledged."""
