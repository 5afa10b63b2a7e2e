#!/bin/bash
# Unpack the ESP32's type stubs into typings/, once for each version in firmware/typings.lock.
set -euo pipefail

cd "$(dirname "$0")/.."
lock=firmware/typings.lock
if [ -f typings/.lock ] && cmp -s $lock typings/.lock; then exit 0; fi
echo "typings: fetching the ESP32's type stubs (once)" >&2
rm -rf typings
.venv/bin/python -m pip install -q --require-hashes --no-deps --disable-pip-version-check --target typings -r $lock >&2
cp $lock typings/.lock
