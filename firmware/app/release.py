"""What this code is and whose updates it takes. `kanhu firmware build` writes this file anew."""

VERSION = "0.0.0"
MODEL = ""  # "": as the settings say
# RSA-3072 public keys (modulus, exponent 65537): the one in use and the next one, so that a key can be replaced.
KEYS = ()
