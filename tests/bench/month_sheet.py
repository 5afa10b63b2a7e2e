"""A month of a million visits: time and memory of the sheet and of its check. `python -m tests.bench.month_sheet [VISITS]`.

The ledger is synthetic: four entries of the chain a visit (meal served, planned, tap, done). Each step is a process of its own.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edge_gateway.visits.records import CardRole, Grade, Served, Visit
from tests.visit_ledger import LedgerFile, S, month

_MEASURED = """
import json, resource, sys, time
from pathlib import Path
began = time.time()
{what}
used = resource.getrusage(resource.RUSAGE_SELF)
# Not ru_maxrss: that begins with the memory of the process that started this one.
peak_kib = next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
found = {{"seconds": time.time() - began, "cpu": used.ru_utime + used.ru_stime, "mib": peak_kib / 1024, "note": note}}
print(json.dumps(found))
"""
_SHEET = """
from edge_gateway.visits import look
from operations.visits import sheet
with look.open_ledger(Path(sys.argv[1])) as ledger:
    made = sheet.make(ledger, Path(sys.argv[2]), sheet.Order("wutong", "2026-11", "Asia/Shanghai"), {how})
note = ", ".join(f"{{path.name.split('wutong')[1]}} {{path.stat().st_size / 1e6:.0f}} MB" for path in made.files)
"""
_VERIFY = """
from operations.visits.verify import verify
report = verify([Path(sys.argv[1]) / ("kanhu-visits-2026-11-wutong" + ending) for ending in {files}])
note = f"{{report.visits:,}} visits, {{report.entries:,}} entries, {{report.count}} differences"
"""
STEPS = (
    ("sheet: CSV and XLSX", _SHEET.format(how="")),
    ("sheet: CSV alone", _SHEET.format(how="xlsx=False")),
    ("verify: CSV", _VERIFY.format(files='("-visits.csv", "-totals.csv", "-exceptions.csv", "-meals.csv", ".chain.jsonl")')),
)


def meal_of(visit: Visit) -> Served:
    """Weighed 20 minutes before it was handed over."""
    time_ns = (visit.start_ns or 0) - 1200 * S
    tap = f"wutong/counter-1/1/{visit.taps[0].rpartition('/')[2]}"
    return Served(tap, "wutong", "hall", visit.courier, CardRole.COURIER, visit.date, time_ns, 480.5, "cal-1", Grade.STRONG)


def run(visits: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="kanhu-month-") as kept:
        file, out = Path(kept) / "visits.db", Path(kept) / "out"
        began = time.time()
        ledger = LedgerFile(file)
        for visit in month(visits):
            if visit.start_ns is not None:
                ledger.served(meal_of(visit))
            ledger.visit(visit, steps=2)
        ledger.close()
        print(f"ledger of {visits:,} visits: {file.stat().st_size / 1e6:,.0f} MB, made in {time.time() - began:.0f} s")
        for title, what in STEPS:
            source = out if title.startswith("verify") else file
            command = [sys.executable, "-c", _MEASURED.format(what=what), str(source), str(out)]
            answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            told = f"{answer['seconds']:.1f} s ({answer['cpu']:.1f} s of CPU), {answer['mib']:.0f} MiB"
            print(f"{title}: {told}; {answer['note']}")


if __name__ == "__main__":
    run(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
