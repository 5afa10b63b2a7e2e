"""The firmware seen from a computer: building, signing, flashing, setting up, serving and sending updates."""
