"""Commands that look at an installation or change it; `kanhu.py` puts them together with those that run something."""
