"""A PN532 and the cards in its field, simulated below the driver: bytes on a serial line, commands in the air."""
