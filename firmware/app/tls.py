"""TLS for the connection to the broker: its certificate is always checked, and a device may show one of its own.

Certificates have dates, and an ESP32 checks them: `Clock` begins a cold boot at the last known time, and `Link` asks NTP first.
"""

import tls as _tls  # MicroPython's own; its `ssl` has other defaults


def context(ca: bytes, cert: bytes = b"", key: bytes = b""):
    """An SSLContext for a client.

    Args:
        ca: certificate of the authority that signed the broker's, PEM or DER.
        cert, key: the device's own, for brokers that ask for one (mutual TLS).
    Raises:
        ValueError: one of them cannot be read, or there is no authority.
    """
    if not ca:
        raise ValueError("TLS needs the authority's certificate (settings: broker.ca)")
    made = _tls.SSLContext(_tls.PROTOCOL_TLS_CLIENT)
    # Said aloud: `tls.SSLContext` begins with CERT_REQUIRED, the `ssl.SSLContext` of micropython-lib with CERT_NONE.
    made.verify_mode = _tls.CERT_REQUIRED  # type: ignore[attr-defined]
    made.load_verify_locations(ca)
    if cert:
        made.load_cert_chain(cert, key)
    return made


def of(broker: dict):
    """The context for the `broker` section of the settings, None when it is plain.

    Raises:
        OSError: a file is missing.
        ValueError: a file is no certificate or key.
    """
    if not broker["tls"]:
        return None
    return context(_file(broker["ca"]), _file(broker["cert"]), _file(broker["key"]))


def _file(path: str) -> bytes:
    if not path:
        return b""
    with open(path, "rb") as file:
        return file.read()
