"""Maps: where stations stand and moving probes were."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from dashboards.grafana.panels import source_of
from dashboards.grafana.query import InfluxQL
from dashboards.grafana.sdk import common, common_builders, geomap, geomap_models

NEAREST: Final = 15  # zoom: some streets


def world(targets: Sequence[InfluxQL], layers: Sequence[Mapping[str, Any]], tiles: str) -> geomap.Panel:
    """A map that opens on its last layer, the topmost. Without `tiles` it has no background and asks nobody outside."""
    drawn = geomap.Panel().targets(list(targets)).datasource(source_of(targets)).unit("none")
    # "All layers" would take the ground's with them, the whole world; and `zoom` is the nearest that "fit" goes, 1 by the SDK.
    # That layer must have something in it for every range, or the map stays at the whole world.
    view = geomap.MapViewConfig().id("fit").all_layers(False).layer(layers[-1]["name"]).padding(20).zoom(NEAREST)
    drawn.view(view).tooltip(geomap.TooltipOptions().mode(geomap_models.TooltipMode.DETAILS))
    drawn.controls(
        geomap.ControlsOptions().show_zoom(True).mouse_wheel_zoom(False).show_scale(True).show_attribution(bool(tiles))
    )
    # What cannot be seen says nothing under the mouse either.
    ground = common_builders.MapLayerOptions().name("ground").tooltip(False)
    if tiles:
        drawn.basemap(ground.type("xyz").config({"url": tiles, "attribution": ""}))
    else:
        # A map needs a ground, and a layer of tiles asks for them even when nobody can see it: a file that Grafana has itself.
        drawn.basemap(ground.type("geojson").opacity(0).config({"src": "public/maps/countries.geojson"}))
    drawn.layers([_layer(layer) for layer in layers])
    return drawn


def _layer(layer: Mapping[str, Any]) -> common_builders.MapLayerOptions:
    made = common_builders.MapLayerOptions().type(layer["type"]).name(layer["name"]).config(layer["config"]).tooltip(True)
    made.location(
        common_builders.FrameGeometrySource()
        .mode(common.FrameGeometrySourceMode.COORDS)
        .latitude(layer["latitude"])
        .longitude(layer["longitude"])
    )
    if "query" in layer:
        made.filter_data({"id": "byRefId", "options": layer["query"]})
    return made
