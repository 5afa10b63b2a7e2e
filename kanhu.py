"""The command line begins here; `kanhu_app` puts the parts together.

The gateway is started without the other commands: it runs for years on a small machine and has no use for them (9 MiB), and
after a restart it hears an SOS the sooner.
"""

import sys

from edge_gateway.errors import KanhuError, Misconfigured


def main() -> None:
    """Run a command; an error that a person can do something about is one line and exit code 2, or 3 for settings."""
    if sys.argv[1:2] == ["gateway"]:
        from operations.commands.serve import app
    else:
        from kanhu_app import app
    try:
        app(prog_name="kanhu")
    except KanhuError as error:
        from operations.commands.common import err

        err.print("kanhu:", style="red", end=" ")
        err.print(str(error), markup=False, soft_wrap=True)
        sys.exit(3 if isinstance(error, Misconfigured) else 2)


if __name__ == "__main__":
    main()
