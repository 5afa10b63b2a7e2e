"""What this code is and whose updates it takes. `kanhu firmware build` writes this file anew."""

VERSION = "0.0.0"
MODEL = ""  # "": built for all of them
HASH = "source"  # of the sources it was built from
BUILT_S = 1767225600  # no clock is right that shows an earlier time; seconds since 1970
# RSA-3072 public keys (modulus, exponent 65537): the one in use and the next one, so that a key can be replaced.
KEYS = ()
