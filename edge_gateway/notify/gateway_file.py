"""The file that says how an SMS or voice gateway is asked by HTTP, and which of its answers is a yes.

url = "https://sms.example.org/v2/send"
secret = "9b11..."                  # {secret} below; the file has mode 0600
encoding = "form"                   # json, form, or query
reports = true                      # it says later whether the message arrived
[body]
mobile = "{to}"
text = "【e家宜业】{short} {link}"
[yes]                               # all must hold; "" is the whole answer
code = 0
[answer]
id = "data.sid"                     # where the gateway's own id of the message stands
reason = "msg"
"""

import re
import tomllib
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from edge_gateway.errors import Misconfigured
from edge_gateway.settings import secret as private_text

NAME: Final = re.compile(r"\{([a-z_]+)\}")
_NAMES: Final = "to title text text_json short short_json spoken spoken_json link code ref secret time time_ms uuid sign"
NAMES: Final = frozenset(_NAMES.split())
Scalar = str | int | bool


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sign(_Part):
    """{sign}: a digest of a text that the gateway can make as well."""

    how: Literal["hmac-sha256", "hmac-sha1", "sha256", "sha1", "md5"] = "hmac-sha256"
    of: str
    written: Literal["hex", "HEX", "base64"] = "hex"


class Where(_Part):
    """Paths into the answer, such as `data.0.sid`; "" it is not there."""

    id: str = ""
    reason: str = ""


class GatewayFile(_Part):
    """One gateway. Texts may hold the names of `NAMES` in braces; other braces stay as they are."""

    url: str = Field(pattern=r"^https?://[^\s]+$")
    method: Literal["POST", "GET"] = "POST"
    encoding: Literal["json", "form", "query"] = "json"
    secret: str = ""
    headers: dict[str, str] = {}
    body: dict[str, Any] = {}
    sign: Sign | None = None
    yes: dict[str, Scalar | list[Scalar]] = Field(min_length=1)
    answer: Where = Where()
    reports: bool = False
    text_max: int = Field(default=500, ge=20, le=5000)
    short_max: int = Field(default=60, ge=10, le=500)

    @field_validator("url", "headers", "body", "sign", mode="after")
    @classmethod
    def _known_names(cls, value: Any) -> Any:
        if unknown := {name for text in texts(value) for name in NAME.findall(text)} - NAMES:
            raise ValueError(f"{{{sorted(unknown)[0]}}} is no name; known are {', '.join(sorted(NAMES))}")
        return value


def texts(value: Any) -> list[str]:
    """Every text in it."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Sign):
        return [value.of]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in texts(one)]


def load(file: Path) -> GatewayFile:
    """Raises Misconfigured: missing, readable by others, or wrong; no value of it is told."""
    try:
        return GatewayFile.model_validate(tomllib.loads(private_text(file)))
    except tomllib.TOMLDecodeError as error:
        raise Misconfigured(f"{file.name} is not TOML", f"mend the line it names: {str(error)[-40:]}") from error
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{file.name} is no UTF-8 text") from error
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise Misconfigured(f"{file.name}: {found[:300]}", "see docs/alerts.md") from error
