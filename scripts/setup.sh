#!/bin/bash
# Make .venv hold exactly what a lock file says, and this project itself.
#
#   scripts/setup.sh [run|test]        run: requirements.lock; test: requirements-dev.lock, which includes it
#
# Needs python3 3.11 or newer with venv. Nothing is installed that the lock file has no hash for. When nothing changed since
# the last run it returns at once.
set -euo pipefail

cd "$(dirname "$0")/.."
say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }

case ${1:-run} in
    run) lock=requirements.lock what="to run" ;;
    test) lock=requirements-dev.lock what="for the tests" ;;
    *) die "usage: scripts/setup.sh [run|test]" ;;
esac

find_python() {
    local name
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
            command -v "$name"
            return
        fi
    done
    die "needs Python 3.11 or newer. On Debian or Ubuntu: sudo apt-get install python3 python3-venv (or set PYTHON=)"
}

# A virtual environment whose Python has gone (an upgrade of the machine) or that lies elsewhere now is made anew.
usable() { [ "$(.venv/bin/python -c 'import os, sys; print(os.path.realpath(sys.prefix))' 2>/dev/null)" = "$(pwd -P)/.venv" ]; }

make_venv() {
    local python
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null || die "$python has no venv. On Debian or Ubuntu: sudo apt-get install python3-venv"
    say "making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
}

# What an installation depends on; the list of packages, because an editable installation knows the folders it was made with.
fingerprint() { { cat "$1" pyproject.toml; .venv/bin/python --version; echo ./*/__init__.py ./*.py; } | sha256sum | cut -d' ' -f1; }

install() {
    local packages
    packages=$(grep -c '^[a-z0-9]' "$1")
    say "installing $packages pinned Python packages ($what, once; about a minute)"
    # One line a package: who waits sees that it moves. The hashes make the index's honesty irrelevant.
    .venv/bin/python -m pip install --require-hashes --no-deps --disable-pip-version-check --progress-bar off -r "$1" 2>&1 |
        awk -v all="$packages" '
            /^Collecting / { n++; printf "setup: %3d/%d %s\n", n, all, $2; fflush(); next }
            /^(  |Using cached|Downloading|Requirement already|Ignoring|Installing collected|Attempting|Found existing|Uninstalling|Successfully)/ { next }
            { print; fflush() }' >&2 || die "the installation failed; the cause is above. Try again when the network is back"
    .venv/bin/python -m pip install --no-deps --no-build-isolation --disable-pip-version-check -q -e . >&2
}

usable || make_venv
stamp=.venv/.installed-$lock
wanted=$(fingerprint "$lock")
# What the tests need includes what running needs.
for have in "$stamp" .venv/.installed-requirements-dev.lock; do
    name=${have#.venv/.installed-}
    if [ -f "$have" ] && [ "$(cat "$have")" = "$(fingerprint "$name")" ]; then exit 0; fi
done
install "$lock"
rm -f .venv/.installed-*
echo "$wanted" >"$stamp"
say "ready: .venv/bin/kanhu --help"
