"""Which pages of the staff there are."""

from nicegui import ui

from dashboards.console.staff import ledger, plan, review, visit


def pages() -> None:
    """Tell NiceGUI of them; called once in a process, after its folder is set."""
    # 20 s: a big ledger on a small machine that has better things to do.
    for path, build in (("/ledger", ledger.build), ("/visit", visit.build), ("/review", review.build), ("/plan", plan.build)):
        ui.page(path, response_timeout=20.0)(build)
