"""What a reading is called in Chinese and English, with its room: `motion.kitchen` is 厨房 有动静, kitchen motion. Pure.

The names of quantities are the catalogue's. A channel that nobody has a word for stays as it is.
"""

import re
from collections.abc import Mapping
from typing import Final

from edge_gateway.catalog import QUANTITIES
from edge_gateway.events import split_name

Words = tuple[str, str]  # zh, en

_ROOMS: Final[Mapping[str, Words]] = {
    "kitchen": ("厨房", "kitchen"),
    "living": ("客厅", "living room"),
    "livingroom": ("客厅", "living room"),
    "living_room": ("客厅", "living room"),
    "dining": ("餐厅", "dining room"),
    "dining_room": ("餐厅", "dining room"),
    "bedroom": ("卧室", "bedroom"),
    "bed": ("床", "bed"),
    "bath": ("卫生间", "bathroom"),
    "bathroom": ("卫生间", "bathroom"),
    "shower": ("淋浴间", "shower"),
    "toilet": ("卫生间", "toilet"),
    "study": ("书房", "study"),
    "hall": ("门厅", "hall"),
    "hallway": ("过道", "hallway"),
    "corridor": ("过道", "corridor"),
    "stairs": ("楼梯", "stairs"),
    "front": ("大门", "front door"),
    "front_door": ("大门", "front door"),
    "main_door": ("大门", "front door"),
    "entrance": ("大门", "front door"),
    "back_door": ("后门", "back door"),
    "door": ("门", "door"),
    "window": ("窗", "window"),
    "fridge": ("冰箱", "fridge"),
    "stove": ("灶台", "stove"),
    "sink": ("水槽", "sink"),
    "balcony": ("阳台", "balcony"),
    "outside": ("室外", "outside"),
    "outdoor": ("室外", "outside"),
}
# Signs of life: the catalogue's name of a state says only one half of what may have happened.
_ACTS: Final[Mapping[str, Words]] = {
    "seen": ("工作人员看过", "seen by staff"),
    "cancel": ("本人按了“我没事”", "the elder pressed “I am fine”"),
    "sos": ("按了紧急按钮", "SOS pressed"),
    "pause": ("本人按了暂停", "the elder pressed pause"),
    "medication": ("按了服药按钮", "medication button pressed"),
    "meal": ("按了用餐按钮", "meal button pressed"),
}
_MOVED: Final[Mapping[str, Words]] = {
    "contact": ("开关", "opened or closed"),
    "bed": ("上床或下床", "bed taken or left"),
    "chair": ("坐下或起来", "chair taken or left"),
    "light": ("开关灯", "light switched"),
    "movements": ("有动静", "movements"),
}
_NUMBERED: Final = re.compile(r"(.*?)_?(\d{1,2})")


def known(name: str) -> bool:
    """Whether there are words for a reading of this name."""
    quantity = split_name(name)[0]
    return quantity in QUANTITIES or quantity in _ACTS


def room(channel: str) -> Words:
    """卧室2, bedroom 2, of `bedroom2`; "" of none."""
    if channel in _ROOMS:
        return _ROOMS[channel]
    numbered = _NUMBERED.fullmatch(channel)
    if numbered is not None and numbered[1] in _ROOMS:
        zh, en = _ROOMS[numbered[1]]
        return f"{zh}{numbered[2]}", f"{en} {numbered[2]}"
    return channel, channel


def reading(name: str) -> Words:
    """What is measured, and where; of a state, that it is so."""
    quantity, channel = split_name(name)
    found = QUANTITIES.get(quantity)
    return _with_room(channel, (found.zh, found.en) if found is not None else (quantity, quantity))


def sign(name: str) -> Words:
    """What a sign of life was: a door moved, one way or the other."""
    quantity, channel = split_name(name)
    if quantity in _ACTS:
        return _with_room(channel, _ACTS[quantity])
    if quantity in _MOVED:
        return _with_room(channel or ("door" if quantity == "contact" else ""), _MOVED[quantity])
    return reading(name)


def _with_room(channel: str, what: Words) -> Words:
    where = room(channel)
    return f"{where[0]} {what[0]}".strip(), f"{where[1]} {what[1]}".strip()
