"""DingTalk: a robot that is spoken to hands the text in, signed with the app's secret; our answer is shown in the group."""

import hmac
import json
from typing import Any, Final

from dashboards.console.inbound.messages import Answer, Call, Reply, Told, at, key_of, plain, seconds
from edge_gateway.errors import Rejected
from edge_gateway.notify.dingtalk import sign
from edge_gateway.settings import Inbound

_FRESH_S: Final = 3600.0  # as DingTalk itself asks


class DingTalk:
    """Header `sign` is made of header `timestamp` (ms) and the secret."""

    def read(self, call: Call, setting: Inbound, now_s: float) -> Told:
        """The text, without the robot's name before it; its sender by his staff id."""
        secret = key_of(setting.key_file, "console.inbound.key_file (the robot's AppSecret)")
        timestamp = call.headers.get("timestamp", "")
        if not timestamp.isdecimal() or len(timestamp) > 15 or abs(int(timestamp) / 1000 - now_s) > _FRESH_S:
            raise Rejected("not_theirs", "the header timestamp is missing or more than an hour off")
        good = sign(secret, int(timestamp)).encode()
        if not hmac.compare_digest(good, call.headers.get("sign", "").encode("utf-8", "replace")):
            raise Rejected("not_theirs", "the header sign is not made with the robot's AppSecret")
        data = _data(call)
        sender, text = plain(at(data, "senderStaffId")), plain(at(data, "text.content")).strip()
        if not sender or not text:
            return Told()
        at_s = seconds(at(data, "createAt")) or int(timestamp) / 1000
        return Told((Reply(sender[:100], text[:500], plain(at(data, "msgId"))[:200], at_s),))

    def say(self, setting: Inbound, call: Call, words: str, now_s: float) -> Answer:
        """Said in the group."""
        said: dict[str, Any] = {"msgtype": "text", "text": {"content": words}} if words else {"msgtype": "empty"}
        return Answer(json.dumps(said, ensure_ascii=False), "application/json")


def _data(call: Call) -> Any:
    try:
        return json.loads(call.body)
    except (ValueError, RecursionError) as error:
        raise Rejected("unreadable", "this is no JSON") from error
