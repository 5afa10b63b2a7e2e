"""What can be wrong with a query and a target: Grafana shows an empty panel, or a false one."""

from tests.grafana.lint import good
from tests.grafana.lint.broken import Broken, both, drop, edit, put

SERIES, TABLE, FOLDED = "panels.1", "panels.2", "panels.6.panels.0"
RAW, HOURS, DAYS, ROWS = f"{SERIES}.targets.0", f"{SERIES}.targets.1", f"{SERIES}.targets.2", f"{TABLE}.targets.0"
NOW = f"{FOLDED}.targets.0"
_LAST = 'SELECT last("outbox_age") FROM "gateway" WHERE $timeFilter'

QUERIES = [
    # the target
    Broken("no-query", put(f"{SERIES}.targets", []), "has no query"),
    Broken("two-of-a-name", put(f"{HOURS}.refId", "A"), "two targets are called 'A'"),
    Broken("not-raw", put(f"{RAW}.rawQuery", False), "rawQuery is not true"),
    Broken("raw-not-said", drop(f"{RAW}.rawQuery"), "rawQuery: is missing"),
    Broken("hidden", put(f"{RAW}.hide", True), "is hidden"),
    Broken("source-by-name", put(f"{RAW}.datasource", {"type": "influxdb", "uid": "InfluxDB"}), "must be influxdb with uid"),
    Broken("source-is-a-variable", put(f"{RAW}.datasource.uid", "${source}"), "must be influxdb with uid"),
    Broken("not-mixed", put(f"{SERIES}.datasource", good.KANHU), "the panel's datasource must be '-- Mixed --'"),
    Broken("panel-asks-another", put(f"{TABLE}.datasource", good.ROLLUPS), "the panel's datasource is 'kanhu-rollups'"),
    Broken("logs", put(f"{RAW}.resultFormat", "logs"), "'logs' is not one of"),
    # names of series
    Broken("no-alias", drop(f"{RAW}.alias"), "has no alias"),
    Broken("alias-of-no-tag", put(f"{RAW}.alias", "$tag_place"), "does not group by 'place'"),
    Broken("alias-unknown", put(f"{RAW}.alias", "$tag_device $field"), "alias $field"),
    Broken("alias-tells-nothing", put(f"{RAW}.alias", "pH"), "would all have one name"),
    Broken("alias-joined", put(f"{RAW}.alias", "$tag_device-$col"), "takes - and @ for a part of the name"),
    Broken("alias-of-a-table", put(f"{ROWS}.alias", "pH"), "columns of a table are named with AS"),
    # which target answers
    Broken("gap", edit(f"{HOURS}.query", ">= 900000", ">= 1800000"), "at an interval of 900000 ms no target answers"),
    Broken("doubled", edit(f"{HOURS}.query", ">= 900000", ">= 600000"), "two targets answer"),
    Broken(
        "hours-of-years", edit(f"{HOURS}.query", " AND $__interval_ms < 10800000", ""), "reads water_1h of a range of years"
    ),
    Broken("readings-of-years", edit(f"{RAW}.query", " AND $__interval_ms < 900000", ""), "reads water of a range of years"),
    # Grafana's words
    Broken("variable-bare", edit(f"{RAW}.query", "=~ /^${device:regex}$/", "= '$device'"), "$device: a variable stands as"),
    Broken("variable-old", edit(f"{RAW}.query", "${device:regex}", "[[device]]"), "[[device]]: a variable stands as"),
    Broken("variable-unknown", edit(f"{RAW}.query", "${device:regex}", "${room:regex}"), "the dashboard has no such variable"),
    Broken("variable-open", edit(f"{RAW}.query", "/^${device:regex}$/", "/${device:regex}/"), "'river-1' is also 'river-10'"),
    Broken("no-time", edit(f"{RAW}.query", "$timeFilter AND ", ""), "has no $timeFilter"),
    # InfluxQL
    Broken("empty", put(f"{RAW}.query", " "), "is empty"),
    Broken("open-quotes", put(NOW + ".query", f'{_LAST} AND "x'), "cannot be read from"),
    Broken("brackets", put(NOW + ".query", f"{_LAST} AND (\"site\" = 'x'"), "has not as many ( as )"),
    Broken("writes", put(NOW + ".query", 'DROP MEASUREMENT "gateway"'), "a dashboard only reads"),
    Broken("shows", put(NOW + ".query", 'SHOW TAG VALUES FROM "gateway" WITH KEY = "site"'), "it belongs into a variable"),
    Broken("two-statements", put(NOW + ".query", f"{_LAST}; {_LAST}"), "holds two statements"),
    Broken("star", put(NOW + ".query", 'SELECT * FROM "gateway" WHERE $timeFilter'), "asks for *"),
    Broken("star-of-tags", put(NOW + ".query", f"{_LAST} GROUP BY *"), "asks for *"),
    Broken("bare-name", put(NOW + ".query", f"{_LAST} AND site = 'x'"), "'site' is no word of InfluxQL"),
    Broken(
        "function", put(NOW + ".query", _LAST.replace("last", "mode")), "mode() is no function that InfluxDB 1, 2 and 3 have"
    ),
    Broken("bare-measurement", put(NOW + ".query", _LAST.replace('"gateway"', "gateway")), "stands in double quotes"),
    Broken("names-a-database", edit(f"{HOURS}.query", '"water_1h"', '"kanhu_rollups".."water_1h"'), "names a database"),
    # size and gaps
    Broken("every-row", put(NOW + ".query", _LAST.replace('last("outbox_age")', '"outbox_age"')), "asks for every row"),
    Broken("drawn-on", edit(f"{RAW}.query", "fill(none)", "fill(previous)"), "fill(previous) draws a value where nothing"),
    # names
    Broken("measurement", edit(f"{RAW}.query", '"water"', '"waters"'), "there is no such measurement"),
    Broken("measurement-of-the-other", put(f"{HOURS}.datasource", good.KANHU), "lies in the data source 'kanhu-rollups'"),
    Broken("readings-of-the-other", put(f"{RAW}.datasource", good.ROLLUPS), "lies in the data source 'kanhu', not in"),
    Broken("field", edit(f"{RAW}.query", 'mean("ph")', 'mean("pH")'), "did you mean 'ph'?"),
    Broken("field-of-a-rollup", edit(f"{HOURS}.query", '"ph_mean"', '"ph"'), '"ph" is neither a field nor a tag of water_1h'),
    Broken("tag", put(NOW + ".query", f'{_LAST} GROUP BY "room"'), 'GROUP BY "room" is no tag'),
    Broken("without-its-flag", edit(f"{RAW}.query", ' AND "ph_flag" <= 2', ""), 'asked for without "ph_flag"'),
    # days
    Broken("days-of-utc", edit(f"{DAYS}.query", " tz('Asia/Shanghai')", ""), "they would begin at midnight UTC"),
    Broken(
        "another-zone", edit(f"{DAYS}.query", "Asia/Shanghai", "Europe/Berlin"), "tz('Europe/Berlin') is not the site's zone"
    ),
    Broken(
        "raw-alone",
        both(drop(f"{SERIES}.targets.2"), drop(f"{SERIES}.targets.1"), put(f"{SERIES}.datasource", good.KANHU)),
        "at an interval of 900000 ms no target answers",
    ),
]
