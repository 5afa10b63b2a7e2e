"""The pages for those who look after people at home: the round, alerts, a home, and the wall that only shows."""

from typing import Final

from dashboards.console.homes.alerts import router as of_alerts
from dashboards.console.homes.home import router as of_a_home
from dashboards.console.homes.rounds import router as of_rounds
from dashboards.console.homes.wall import router as of_the_wall
from dashboards.console.part import Part

PARTS: Final = tuple(Part(router) for router in (of_rounds, of_alerts, of_a_home, of_the_wall))
