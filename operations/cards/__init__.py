"""The desk where cards are made, changed and looked at, with a reader beside the keyboard."""
