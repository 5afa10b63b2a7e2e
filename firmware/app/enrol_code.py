"""One-time codes for enrolment: 65 random bits as 13 characters that can be told by telephone, and one that finds a slip.

`yunhe/home-7/7K3QX-0VMZP-2BTC` names site, device and code at once; case, spaces and hyphens of the code do not matter.
"""

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
LENGTH = 14  # with the check character


def parse(text: str) -> tuple:
    """(site, device, code) of what a person typed; code is "" when only `site/device` was given.

    Raises:
        ValueError: with what is wrong, in a few words.
    """
    parts = [part.strip() for part in text.strip().split("/")]
    if len(parts) not in (2, 3):
        raise ValueError("expected site/device/code")
    return parts[0], parts[1], canonical(parts[2]) if len(parts) == 3 else ""


def canonical(typed: str) -> str:
    """The 14 characters of a code.

    Raises:
        ValueError: it is none; a single wrong character is always found, two that changed places nearly always.
    """
    code = "".join(c for c in typed.upper() if c not in " -")
    code = code.replace("O", "0").replace("I", "1").replace("L", "1")
    if len(code) != LENGTH:
        raise ValueError("a code has %d characters, this has %d" % (LENGTH, len(code)))
    for c in code:
        if c not in ALPHABET:
            raise ValueError("a code has no %s" % c)
    if check(code[:-1]) != code[-1]:
        raise ValueError("a character of the code is wrong")
    return code


def check(characters: str) -> str:
    """The check character: Luhn's rule with 32 instead of 10."""
    total = 0
    for n, c in enumerate(reversed(characters)):
        value = ALPHABET.index(c) * (2 - n % 2)
        total += value // 32 + value % 32
    return ALPHABET[-total % 32]
