"""A gateway in small, to be killed: writes each message's number to a file, a group at a time, and acknowledges after that."""

import asyncio
import os
import sys
from pathlib import Path

from edge_gateway.broker import Incoming, Session
from edge_gateway.settings import Broker


async def main(where: Broker, held: Path) -> None:
    waiting: list[tuple[Incoming, int]] = []
    file = os.open(held, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def take(messages: list[Incoming], generation: int) -> None:
        waiting.extend((message, generation) for message in messages)

    session = Session(where, "gateway", ("kanhu/1/+/+/up/#",), take)
    running = asyncio.create_task(session.run())
    while not running.done():
        await asyncio.sleep(0.01)
        group = waiting[:100]
        del waiting[:100]
        if group:
            os.write(file, b"".join(m.payload + b"\n" for m, _ in group))
            os.fsync(file)
        for generation in {g for _, g in group}:
            session.acknowledge([m.packet_id for m, g in group if g == generation and m.packet_id is not None], generation)


if __name__ == "__main__":
    asyncio.run(main(Broker.model_validate_json(sys.argv[1]), Path(sys.argv[2])))
