"""Pages of the staff, live: ledger, review queue, plan."""


def pages() -> None:
    """Tell NiceGUI of them; called once in a process, after its folder is set."""
