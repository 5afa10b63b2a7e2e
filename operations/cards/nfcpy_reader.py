"""USB readers and PN532 modules by nfcpy (EUPL 1.1, an optional extra). It is loaded only when such a reader is opened."""

import warnings
from importlib import import_module
from typing import Any, Final

from edge_gateway.errors import Misconfigured, Unavailable
from operations.cards.reader import CardLost, Medium

_TIMEOUT_S: Final = 0.1
_TRIES: Final = 4
_SPEAKS_APDU, _CLASSIC = 0x20, 0x08  # in the SAK


class NfcpyReader:
    """
    Args:
        name: `usb`, `usb:VENDOR:PRODUCT`, or `tty:PATH:DRIVER`, DRIVER being pn532 or another of nfcpy's.
    Raises:
        Misconfigured: nfcpy is missing, or the name is none.
        Unavailable: no such reader answers.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._nfc = _library()
        self._frontend = self._nfc.ContactlessFrontend()
        try:
            self._open(name)
        except OSError as error:
            raise Unavailable(f"the reader {name} cannot be opened: {error}; is it plugged in, and may you use it?") from error
        if self._frontend.device is None:
            hint = "unplug it and plug it in again; `modprobe -r pn533_usb`, and stop pcscd, if they hold it"
            raise Unavailable(f"no reader answers at {name}; {hint}")

    def _open(self, name: str) -> None:
        kind, _, rest = name.partition(":")
        if kind == "usb":
            self._frontend.open(name)
            return
        path, _, driver = rest.rpartition(":")
        if not path or not driver.isidentifier():
            raise Misconfigured(f"{name!r} names no serial reader", "tty:/dev/ttyUSB0:pn532")
        try:
            module = import_module(f"nfc.clf.{driver}")
        except ImportError:
            raise Misconfigured(f"nfcpy has no driver {driver!r}", "pn532, arygon, rcs956") from None
        # Its own search takes only names that lie in /dev itself.
        line = import_module("nfc.clf.transport").TTY(path)
        for left in reversed(range(_TRIES)):
            try:
                self._frontend.device = module.init(line)
                return
            except OSError:
                # It gives a chip a tenth of a second to wake up, which on a busy machine is not much.
                if not left:
                    line.close()
                    raise

    def find(self) -> "NfcpyCard | None":
        clf = self._nfc.clf
        for left in reversed(range(_TRIES)):
            try:
                target = self._frontend.sense(clf.RemoteTarget("106A"), iterations=1)
                return None if target is None else NfcpyCard(self._nfc, self._frontend, target)
            except clf.CommunicationError:
                return None
            except OSError as error:
                if not left:
                    hint = "unplug it and plug it in again"
                    raise Unavailable(f"the reader {self.name} does not answer: {error}; {hint}") from error
        return None

    def close(self) -> None:
        self._frontend.close()


class NfcpyCard:
    """A card that nfcpy has found."""

    def __init__(self, nfc: Any, frontend: Any, target: Any) -> None:
        self._nfc, self._frontend = nfc, frontend
        self.uid = bytes(target.sdd_res or b"")
        sak = target.sel_res[0] if target.sel_res else 0
        self.medium = Medium.APDU if sak & _SPEAKS_APDU else Medium.NONE if sak & _CLASSIC or not self.uid else Medium.TYPE2
        # nfcpy does the blocks of ISO 14443-4 and their repeats; a Type 2 tag is spoken to as it is.
        self._tag = self._activated(target) if self.medium is Medium.APDU else None

    def _activated(self, target: Any) -> Any:
        try:
            tag = import_module("nfc.tag.tt4").activate(self._frontend, target)
        except self._nfc.clf.CommunicationError as error:
            raise CardLost(f"the card was taken away ({error})") from error
        if tag is None:
            raise CardLost("the card did not answer when it was selected; hold it again")
        return tag

    def exchange(self, data: bytes) -> bytes:
        try:
            if self._tag is not None:
                return bytes(self._tag.transceive(data))
            return bytes(self._frontend.exchange(data, _TIMEOUT_S))
        except (self._nfc.clf.CommunicationError, self._nfc.tag.TagCommandError) as error:
            raise CardLost(f"the card does not answer ({error}); hold it again") from error
        except OSError as error:
            # One frame was lost between reader and computer. If it is more than that, the next `find` says so.
            raise CardLost(f"the line to the reader was disturbed ({error}); hold the card again") from error


def _library() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it was written for older Pythons
            nfc = import_module("nfc")
            import_module("nfc.tag")
    except ImportError as error:
        raise Misconfigured(f"readers at USB and serial ports need nfcpy ({error})", "pip install 'kanhu[desk]'") from error
    return nfc
