"""Limits of GB 3838-2002 (surface water, rivers) for what stations measure. A value on a limit is still within its class.

The numbers are from several agreeing secondary copies of the standard, not from its original text. Turbidity, conductivity and
water temperature have no class limit. One item beyond a limit says "this class or worse", never which class the water has.
"""

from typing import Final, NamedTuple

from dashboards.grafana.text import Text

CLASSES: Final = ("Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ", "Ⅴ")


class Limits(NamedTuple):
    """Of one quantity, in the catalogue's unit.

    Attributes:
        least, most: by class, I first; empty where there is no such limit.
    """

    quantity: str
    name: Text
    unit: str
    least: tuple[float, ...] = ()
    most: tuple[float, ...] = ()

    def of(self, river_class: int) -> tuple[float | None, float | None]:
        """(least, most) of class 1 to 5."""
        at = river_class - 1
        return (self.least[at] if self.least else None), (self.most[at] if self.most else None)


LIMITS: Final = (
    Limits("ph", Text("pH", "pH"), "", least=(6.0,) * 5, most=(9.0,) * 5),
    # Class I by 7.5 mg/L, as the national stations publish it; the standard also lets 90 % of saturation count.
    Limits("dissolved_oxygen", Text("溶解氧", "Dissolved oxygen"), "mg/L", least=(7.5, 6.0, 5.0, 3.0, 2.0)),
    Limits("cod_mn", Text("高锰酸盐指数", "Permanganate index"), "mg/L", most=(2.0, 4.0, 6.0, 10.0, 15.0)),
    Limits("ammonia_n", Text("氨氮", "Ammonia nitrogen"), "mg/L", most=(0.15, 0.5, 1.0, 1.5, 2.0)),
    # Of rivers; lakes and reservoirs have lower ones.
    Limits("total_p", Text("总磷", "Total phosphorus"), "mg/L", most=(0.02, 0.1, 0.2, 0.3, 0.4)),
)
