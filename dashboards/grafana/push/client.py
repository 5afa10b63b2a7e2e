"""What is asked of Grafana, each call once.

Measured on Grafana 12.2, and the reason why everything is looked up first and then made or replaced: a folder made twice is
412, a data source or contact point 409; of what a file provisions a data source is 403, a dashboard 400, a rule group 409,
the policy tree 403.
"""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import quote

from dashboards.grafana.push.http import NO_PROVENANCE, Http, NotThere
from edge_gateway.errors import Misconfigured, Rejected

TAG: Final = "kanhu"  # of every dashboard of ours
_MOST: Final = 5000  # dashboards in one answer of a search
_ALERTS: Final = "api/v1/provisioning"

Json = dict[str, Any]


class Grafana:
    """One Grafana, as one organisation of it.

    Args:
        url: as a browser has it, with a path if it is below one.
        credential: token of a service account with the role Admin, or (user, password).
        secrets: texts that appear in no error, beside the credential.

    Raises:
        Misconfigured: the address is none.  Each call: Unavailable, Misconfigured, Rejected.
    """

    def __init__(
        self, url: str, credential: str | tuple[str, str], secrets: Iterable[str] = (), timeout_s: float = 30.0
    ) -> None:
        self.http = Http(url, credential, secrets, timeout_s)
        self.url, self.hide = self.http.url, self.http.hide

    def version(self) -> str:
        """Its version, `12.2.0`; "" when it does not tell."""
        try:
            found = self.http.ask("GET", "api/frontend/settings", "its version")
        except NotThere:
            hint = "give the address of Grafana itself, with its path if it has one"
            raise Misconfigured(f"{self.url} is no Grafana: it knows no api/frontend/settings", hint) from None
        return str(((found or {}).get("buildInfo") or {}).get("version", ""))

    def data_source(self, uid: str) -> Json | None:
        """The data source; None: there is none."""
        return self.http.find(f"api/datasources/uid/{quote(uid)}", f"data source {uid}")

    def save_data_source(self, source: Json, exists: bool) -> None:
        """Make or replace it."""
        what = f"data source {source['uid']}"
        if exists:
            self.http.ask("PUT", f"api/datasources/uid/{quote(source['uid'])}", what, source)
        else:
            self.http.ask("POST", "api/datasources", what, source)

    def delete_data_source(self, uid: str) -> None:
        """Remove it."""
        self.http.ask("DELETE", f"api/datasources/uid/{quote(uid)}", f"data source {uid}")

    def health(self, uid: str) -> str:
        """What the data source says about itself. Raises Rejected when it does not reach its database."""
        found = self.http.ask("GET", f"api/datasources/uid/{quote(uid)}/health", f"health of data source {uid}") or {}
        if found.get("status") != "OK":
            raise Rejected("data_source_unhealthy", self.hide(f"{uid}: {found.get('message', found)}"))
        return str(found.get("message", ""))

    def folder(self, uid: str) -> Json | None:
        """The folder; None: there is none."""
        return self.http.find(f"api/folders/{quote(uid)}", f"folder {uid}")

    def save_folder(self, uid: str, title: str, exists: bool) -> None:
        """Make it or give it this title."""
        if exists:
            self.http.ask("PUT", f"api/folders/{quote(uid)}", f"folder {uid}", {"title": title, "overwrite": True})
        else:
            self.http.ask("POST", "api/folders", f"folder {uid}", {"uid": uid, "title": title})

    def delete_folder(self, uid: str) -> None:
        """Remove it; Grafana refuses while there are alert rules in it."""
        self.http.ask("DELETE", f"api/folders/{quote(uid)}", f"folder {uid}")

    def in_folder(self, uid: str) -> list[Json]:
        """The dashboards and folders in a folder."""
        return list(self.http.ask("GET", "api/search", f"content of folder {uid}", folderUIDs=[uid], limit=_MOST) or [])

    def tagged(self) -> list[Json]:
        """All dashboards with our tag: uid, title, folderUid, tags."""
        return list(self.http.ask("GET", "api/search", "dashboards", tag=[TAG], type="dash-db", limit=_MOST) or [])

    def dashboard(self, uid: str) -> Json | None:
        """`dashboard` and `meta`; None: there is none."""
        return self.http.find(f"api/dashboards/uid/{quote(uid)}", f"dashboard {uid}")

    def save_dashboard(self, dashboard: Json, folder_uid: str) -> None:
        """Make or replace it."""
        body = {
            "dashboard": {**dashboard, "id": None},
            "folderUid": folder_uid,
            "overwrite": True,
            "message": "kanhu dashboards push",
        }
        self.http.ask("POST", "api/dashboards/db", f"dashboard {dashboard['uid']}", body)

    def delete_dashboard(self, uid: str) -> None:
        """Remove it."""
        self.http.ask("DELETE", f"api/dashboards/uid/{quote(uid)}", f"dashboard {uid}")

    def rules(self) -> list[Json]:
        """All alert rules of the organisation."""
        return list(self.http.ask("GET", f"{_ALERTS}/alert-rules", "alert rules") or [])

    def rule_group(self, folder_uid: str, title: str) -> Json | None:
        """`title`, `folderUid`, `interval` (s) and `rules`; None: there is none."""
        return self.http.find(_group(folder_uid, title), f"rule group {title}")

    def save_rule_group(self, group: Json) -> None:
        """Make or replace it: rules that it does not name are gone from it."""
        # Without provenance people can still pause a rule and look at it in Grafana's own pages.
        self.http.ask("PUT", _group(group["folderUid"], group["title"]), f"rule group {group['title']}", group, NO_PROVENANCE)

    def delete_rule(self, uid: str) -> None:
        """Remove one rule."""
        self.http.ask("DELETE", f"{_ALERTS}/alert-rules/{quote(uid)}", f"alert rule {uid}", headers=NO_PROVENANCE)

    def contact_points(self) -> list[Json]:
        """All contact points; what is secret in them reads `[REDACTED]`."""
        return list(self.http.ask("GET", f"{_ALERTS}/contact-points", "contact points") or [])

    def save_contact_point(self, point: Json, exists: bool) -> None:
        """Make or replace it."""
        what = f"contact point {point['name']} ({point['type']})"
        if exists:
            self.http.ask("PUT", f"{_ALERTS}/contact-points/{quote(point['uid'])}", what, point, NO_PROVENANCE)
        else:
            self.http.ask("POST", f"{_ALERTS}/contact-points", what, point, NO_PROVENANCE)

    def delete_contact_point(self, uid: str) -> None:
        """Remove it; refused while a policy names it."""
        self.http.ask("DELETE", f"{_ALERTS}/contact-points/{quote(uid)}", f"contact point {uid}", headers=NO_PROVENANCE)

    def policy(self) -> Json:
        """The organisation's one tree of notification policies."""
        return dict(self.http.ask("GET", f"{_ALERTS}/policies", "notification policies") or {})

    def save_policy(self, tree: Json) -> None:
        """Replace the tree. Who set it over the interface before, as Terraform does, stays its owner."""
        body = {key: part for key, part in tree.items() if key != "provenance"}
        headers = {} if tree.get("provenance") == "api" else NO_PROVENANCE
        self.http.ask("PUT", f"{_ALERTS}/policies", "notification policies", body, headers)

    def evaluate(self, rule: Json) -> Json:
        """Run a rule's queries and expressions once; refId -> result. Nothing is saved."""
        body = {"data": rule["data"], "condition": rule["condition"]}
        found = self.http.ask("POST", "api/v1/eval", f"rule {rule['uid']}", body) or {}
        results: Json = found.get("results") or {}
        return results


def _group(folder_uid: str, title: str) -> str:
    return f"{_ALERTS}/folder/{quote(folder_uid)}/rule-groups/{quote(title, safe='')}"
