# Two commands: `make demo` shows it, `make test` proves it. Each sets up whatever it needs; `make help` lists the others.

# Debian keeps servers in /usr/sbin; those that scripts/servers.sh unpacks without root are in .cache/servers/bin.
export KANHU_SERVERS := $(CURDIR)/.cache/servers/bin
export PATH := $(KANHU_SERVERS):$(PATH):/usr/local/sbin:/usr/sbin:/sbin

python := .venv/bin/python
ARGS ?=
# The tests mostly wait, for brokers, databases and clocks: two at a time take half as long, also on two cores. JOBS=0: one by one.
JOBS ?= 2

.PHONY: help setup up demo test bench lint lock clean servers-run servers-demo servers-test venv-run venv-test

help:
	@echo 'make demo    set everything up and run it with a simulated village and river (ARGS="--devices 50")'
	@echo 'make up      set everything up and run it: mosquitto, gateway, embedded store (ARGS="--settings kanhu.toml")'
	@echo 'make test    set everything up and run all tests (ARGS="-k outbox -x")'
	@echo 'make bench   messages a second and CPU a message, ours beside the usual script and Telegraf'
	@echo 'make setup   only the setting up: .venv and mosquitto'
	@echo 'make lint    ruff and mypy'
	@echo 'make lock    write the lock files from pyproject.toml (ARGS=--upgrade for newer versions)'
	@echo 'make clean   remove what was built; var/ (your data) stays'

setup: venv-run servers-run
	@echo 'Next: make demo (to look), make up (to use), make test (to prove).'

up: venv-run servers-run
	@exec .venv/bin/kanhu up $(ARGS)

demo: venv-run servers-demo
	@exec .venv/bin/kanhu demo $(ARGS)

test: venv-test servers-test
	@scripts/left-out.sh
	$(python) -m pytest -n $(JOBS) --dist worksteal $(ARGS)

bench: venv-test servers-test
	$(python) -m tests.bench $(ARGS)

lint: venv-test
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	scripts/typings.sh
	.venv/bin/mypy --config-file firmware/mypy.ini

lock: venv-test
	scripts/lock.sh $(ARGS)

clean:
	rm -rf .venv .cache typings build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

venv-run:
	@scripts/setup.sh run
venv-test:
	@scripts/setup.sh test
servers-run:
	@scripts/servers.sh mosquitto
servers-demo:
	@scripts/servers.sh mosquitto --optional micropython
servers-test:
	@scripts/servers.sh mosquitto --optional influxdb victoria-metrics micropython chromium
