"""The script everybody writes first: paho, json, influxdb-client with batching; arguments: PORT PASSWORD URL TOKEN BUCKET."""

import json
import sys
from typing import Any

import paho.mqtt.client as mqtt
from influxdb_client import InfluxDBClient, Point, WriteOptions, WritePrecision
from paho.mqtt.enums import CallbackAPIVersion

FIELDS = ("temperature", "humidity", "pressure", "co2", "illuminance")


def main() -> None:
    port, password, url, token, bucket = sys.argv[1:]
    influx = InfluxDBClient(url=url, token=token, org="kanhu", enable_gzip=True)
    write_api = influx.write_api(write_options=WriteOptions(batch_size=5000, flush_interval=1000))

    def on_connect(client: mqtt.Client, *_: Any) -> None:
        client.subscribe("kanhu/1/+/+/up/data", qos=1)

    def on_message(client: mqtt.Client, userdata: Any, message: mqtt.MQTTMessage) -> None:
        data = json.loads(message.payload)
        point = Point("climate").tag("device", data["device"]).time(data["time"], WritePrecision.MS)
        for name in FIELDS:
            point.field(name, float(data[name]))
        write_api.write(bucket=bucket, record=point)

    client = mqtt.Client(CallbackAPIVersion.VERSION2, "usual-script", clean_session=False)
    client.username_pw_set("test", password)
    client.on_connect = on_connect
    client.on_message = on_message
    client.connect("127.0.0.1", int(port))
    client.loop_forever()


if __name__ == "__main__":
    main()
