"""Exchanges a one-time code for a password of the device's own, over the broker.

The device makes the password; the code is only good for handing it in. What is sent lies in flash before, so that a device
whose power goes at any moment hands in the same again, until it has connected once as itself.
"""

import asyncio
import binascii
import hashlib
import json
import os

from app import files, slots
from app.log import log
from app.mqtt_packets import REFUSED

PENDING = "enrol.json"
# No site can be called so: a name begins with a letter or digit. The broker's rules for devices then hold for this user too.
USER = "_enrol/%s/%s"
_ANSWER_S = 20
# mosquitto 2 says the second, others the first.
_REFUSED = ("refused: " + REFUSED[4], "refused: " + REFUSED[5])


class Refused(Exception):
    """The code is wrong, used or too old: a person has to get another one."""


def begin(root: str, document: dict, code: str) -> dict:
    """Keep what is to be done in flash, before anything is sent; the same again when it is there already.

    Args:
        document: the settings the device will have, but for the password.
    """
    known = pending(root)
    if known is not None and known["code"] == code and known["settings"] == document:
        return known
    password = binascii.hexlify(os.urandom(32)).decode()
    made = {"settings": document, "code": code, "password": password}
    slots.replace(root + "/" + PENDING, json.dumps(made).encode())
    return made


def pending(root: str):
    """What `begin` kept, None if there is nothing."""
    try:
        with open(root + "/" + PENDING) as file:
            found = json.load(file)
        return found if isinstance(found, dict) and {"settings", "code", "password"} <= set(found) else None
    except (OSError, ValueError):
        return None


def forget(root: str) -> None:
    """Give it up."""
    files.remove(root + "/" + PENDING)


def finish(root: str, job: dict) -> None:
    """The gateway has taken the password: from now on the device is itself."""
    document = dict(job["settings"])
    document["broker"] = dict(document["broker"], password=job["password"])
    slots.replace(root + "/settings.json", json.dumps(document).encode())
    forget(root)


async def hand_in(job: dict, make_client) -> None:
    """Tell the gateway the password; returns when it is stored there.

    Args:
        make_client: function(user, password) -> `mqtt.Client`, not yet connected.
    Raises:
        Refused: with what the gateway or the broker said.
        OSError: no answer this time.
    """
    site, device = job["settings"]["site"], job["settings"]["device"]
    user = USER % (site, device)
    topic = "kanhu/1/" + user
    # Which of two devices with one code was taken is seen by this.
    mark = binascii.hexlify(hashlib.sha256(job["password"].encode()).digest()).decode()[:16]
    answers = []
    came = asyncio.Event()

    def on_message(topic: str, payload: bytes) -> None:
        try:
            answer = json.loads(payload)
            if answer.get("of") == mark:
                answers.append(answer)
                came.set()
        except (ValueError, AttributeError):
            log("warning", "enrolment: an answer that is none")

    client = make_client(user, job["code"])
    client.on_message = on_message
    try:
        await client.connect()
    except OSError as error:
        if str(error) in _REFUSED:
            raise Refused("the broker does not take this code: it is wrong, used or too old")
        raise
    try:
        await client.subscribe([topic + "/down/enrol"])
        await client.publish(topic + "/up/enrol", json.dumps({"password": job["password"]}).encode())
        try:
            await asyncio.wait_for(came.wait(), _ANSWER_S)
        except asyncio.TimeoutError:
            raise OSError("the gateway does not answer")
    finally:
        await client.close()
    if not answers[0].get("ok"):
        raise Refused(str(answers[0].get("reason", "refused"))[:200])
