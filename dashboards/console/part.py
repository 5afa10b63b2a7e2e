"""A part of the console: the pages of one idea, and which of them are open to people who are not logged in."""

from dataclasses import dataclass

from fastapi import APIRouter


@dataclass(frozen=True, slots=True)
class Part:
    """What `server.PARTS` lists.

    Attributes:
        public: paths without log-in; one that ends with `/` stands for all below it. They get no session, whatever cookie
            comes, so they must have a proof of their own. Everything else needs somebody who is logged in.
        called: public ones whose proof is in the address itself, and which are called by programs that send no Origin: a
            provider's, the browser inside an old chat program. An Origin of another page is refused all the same.
    """

    router: APIRouter
    public: tuple[str, ...] = ()
    called: tuple[str, ...] = ()
