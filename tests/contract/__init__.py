"""Golden messages: what a device writes and understands, one file each; `index.json` says what each one means."""
