"""The keys of provisioning files: data sources, providers of dashboards, and what a file of alerting may hold."""

from typing import Final

from dashboards.grafana.lint.shape import ANYTHING, FLAG, TEXT, WHOLE, ListOf, MapOf, keys, named, words

_VERSION: Final = {"apiVersion": WHOLE}
_BY_UID: Final = ListOf(keys({"orgId": WHOLE, "uid": TEXT}, "orgId uid"))
_BY_NAME: Final = ListOf(keys({"orgId": WHOLE, "name": TEXT}, "orgId name"))

DATA_SOURCES: Final = keys(
    {
        **_VERSION,
        "prune": FLAG,
        "deleteDatasources": _BY_NAME,
        "datasources": ListOf(
            keys(
                {
                    **named(TEXT, "uid name type url"),
                    "access": words("proxy"),
                    "orgId": WHOLE,
                    "version": WHOLE,
                    **named(FLAG, "isDefault editable"),
                    "jsonData": keys(
                        {
                            "version": words("InfluxQL"),
                            "httpMode": words("GET POST"),
                            **named(TEXT, "dbName httpHeaderName1 timeInterval tlsAuth serverName"),
                            **named(FLAG, "tlsAuthWithCACert tlsSkipVerify"),
                            **named(WHOLE, "timeout maxSeries"),
                        },
                        "version dbName httpMode",
                    ),
                    "secureJsonData": MapOf(TEXT),
                },
                "uid name type access url jsonData",
            )
        ),
    },
    "apiVersion prune datasources",
)
PROVIDERS: Final = keys(
    {
        **_VERSION,
        "providers": ListOf(
            keys(
                {
                    **named(TEXT, "name folder folderUid"),
                    "type": words("file"),
                    **named(WHOLE, "orgId updateIntervalSeconds"),
                    **named(FLAG, "disableDeletion allowUiUpdates editable"),
                    "options": keys({"path": TEXT, "foldersFromFilesStructure": FLAG}, "path"),
                },
                "name folder folderUid type disableDeletion options",
            )
        ),
    },
    "apiVersion providers",
)
ALERTING: Final = keys(
    {
        **_VERSION,
        "groups": ListOf(MapOf(ANYTHING)),
        "deleteRules": _BY_UID,
        "contactPoints": ListOf(MapOf(ANYTHING)),
        "deleteContactPoints": _BY_UID,
        "policies": ListOf(MapOf(ANYTHING)),
        "resetPolicies": ListOf(WHOLE),
        "muteTimes": ListOf(MapOf(ANYTHING)),
        "deleteMuteTimes": _BY_NAME,
    },
    "apiVersion",
)
