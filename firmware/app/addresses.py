"""Host names resolved once: a look-up stops the whole device for seconds, so what was found is kept until it fails."""

import socket

_KEPT = 8
_found = {}


def resolve(host: str) -> str:
    """The IPv4 address of `host`, from the last look-up if there was one. Blocks, at worst for about 15 s, when there was none.

    Raises:
        OSError: there is no such name, or nobody answers.
    """
    if host not in _found:
        if len(_found) >= _KEPT:
            _found.clear()
        _found[host] = _look_up(host)
    return _found[host]


def known(host: str) -> str:
    """What `resolve` would say without a look-up, "" when it would need one."""
    return _found.get(host, "")


def remember(host: str, address: str) -> None:
    """Found by somebody else, for instance before a deep sleep."""
    _found[host] = address


def forget(host: str) -> None:
    """It did not answer: look its name up anew next time."""
    _found.pop(host, None)


def _look_up(host: str) -> str:
    sockaddr = socket.getaddrinfo(host, 0, socket.AF_INET, socket.SOCK_STREAM)[0][-1]
    if isinstance(sockaddr, tuple):
        return str(sockaddr[0])
    # The unix port gives the bytes of a sockaddr_in, the devices a tuple.
    return ".".join(str(b) for b in bytes(sockaddr)[4:8])
