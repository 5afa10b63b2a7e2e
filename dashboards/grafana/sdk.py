"""grafana-foundation-sdk, as the dashboards use it: classic JSON, which every Grafana from 10 to 12 opens."""

import json
import warnings
from typing import Any

with warnings.catch_warnings():
    # It says that the newer schema is to be preferred; Grafana 12 does not open that with its default settings.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.builders import barchart, geomap, stat, statetimeline, table, text, timeseries
    from grafana_foundation_sdk.builders import common as common_builders
    from grafana_foundation_sdk.builders import dashboard as builders
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.variants import Dataquery
    from grafana_foundation_sdk.models import common
    from grafana_foundation_sdk.models import dashboard as models
    from grafana_foundation_sdk.models import geomap as geomap_models
    from grafana_foundation_sdk.models import text as text_models

__all__ = [
    "Builder",
    "Dataquery",
    "as_json",
    "barchart",
    "builders",
    "common",
    "common_builders",
    "geomap",
    "geomap_models",
    "models",
    "stat",
    "statetimeline",
    "table",
    "text",
    "text_models",
    "timeseries",
]


def as_json(built: object) -> Any:
    """What the SDK built, as plain dicts and lists."""
    return json.loads(JSONEncoder().encode(built))
