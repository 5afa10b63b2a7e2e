#!/bin/bash
# Write requirements.lock and requirements-dev.lock: every package with its version and hashes, for Linux on any processor.
#
#   scripts/lock.sh [--upgrade]      without --upgrade, versions that are locked already stay
set -euo pipefail

cd "$(dirname "$0")/.."
# setuptools builds the project itself, without a download that nobody checked.
compile() {
    echo 'setuptools>=69' | .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-emit-find-links --no-header --no-annotate --output-file "$@" pyproject.toml -
}
compile requirements.lock "${@}"
compile requirements-dev.lock "${@}" --extra dev --constraint requirements.lock
wc -l requirements.lock requirements-dev.lock
