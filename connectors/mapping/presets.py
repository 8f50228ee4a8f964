"""The shapes of payloads that bridges usually send: what is set in a mapping goes before what stands here."""

from __future__ import annotations

from connectors.mapping.settings import MappingSettings

#: By preset, the fields of `MappingSettings` that it sets.
PRESETS: dict[str, dict[str, str]] = {
    "plain": {},
    # Telegraf's JSON serializer: {"name", "tags", "fields", "timestamp"}, alone or as {"metrics": [...]}
    "telegraf": {"sensors": "fields", "time": "timestamp"},
    # ThingsBoard's device API: {"ts", "values"}, a list of them, or bare values; the topic names the device
    "thingsboard": {"time": "ts", "sensors": "values"},
    # ThingsBoard's gateway API: {"Device A": [{"ts", "values"}]}
    "thingsboard-gateway": {"each": "*[*]", "machine": "{key}", "time": "ts", "sensors": "values"},
    # EMQX Neuron's MQTT plugin: values-format {"node", "group", "timestamp", "values", "errors"}
    # and tags-format {"node", "group", "timestamp", "tags": [{"name", "value", "error"}]}
    "neuron": {"machine": "{node}", "time": "timestamp"},
    # United Manufacturing Hub: umh/v1/enterprise/site/area/line/cell/_historian/…, {"timestamp_ms", …}
    "umh": {"time": "timestamp_ms"},
    # Node-RED's message object {"payload", "topic", …}
    "node-red": {"sensors": "payload"},
    # Sparkplug B as JSON: {"timestamp", "metrics": [{"name", "value", …}]}
    "sparkplug-json": {"each": "metrics[*]", "sensor": "{name}", "value": "value", "time": "timestamp"},
}


def with_preset(settings: MappingSettings) -> MappingSettings:
    """``settings`` with what its preset says where they say nothing."""
    preset = {key: value for key, value in PRESETS[settings.preset].items() if not getattr(settings, key)}
    return settings.model_copy(update=preset)
