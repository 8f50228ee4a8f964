"""`yeji rejected` on the real broker: listed, explained, kept in a file, taken again once and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from typer.testing import CliRunner

from connectors.base.clock import now_ms
from connectors.kafka.outgoing import rejected_records
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import Topics
from connectors.mapping.mapping import Mapping
from connectors.mapping.settings import MappingSettings
from pipeline.records import Reason, Rejection
from streams.cli import make_app
from streams.operator_error import OperatorError
from streams.rejected.archive import export, read
from streams.rejected.choice import Choice, journal, moment, overview
from streams.rejected.retake import Mended, _in_parts, retake
from streams.settings import Settings

MACHINE = "a/b/c/d/press-1"
GOOD = b'{"machine":"%s","time":1790000000000,"sensors":{"t":1.0}}' % MACHINE.encode()


@pytest.fixture
def settings(kafka: str, unique: Callable[[str], str]) -> Settings:
    """Topics of this test alone."""
    names = ("frames", "rejected", "alerts", "feedback", "snapshots", "group")
    made = Settings(
        kafka=KafkaSettings(brokers=kafka, partitions=2, **{name: unique(name) for name in names})
    )
    topics = Topics(made.kafka)
    topics.apply(topics.check())
    topics.close()
    return made


def rejection(settings: Settings, offset: int, value: bytes, **changes: object) -> Rejection:
    """One of the topic of frames."""
    fields = {"machine": MACHINE, "topic": settings.kafka.frames, "offset": offset} | changes
    reason = fields.pop("reason", Reason.MACHINE_UNKNOWN)
    return Rejection(reason, f"detail {offset}", value, 1_790_000_000_500, **fields)  # type: ignore[arg-type]


def reject(settings: Settings, *rejections: Rejection) -> None:
    """Put them where workers put them."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka.brokers)
    for record in rejected_records(rejections, settings.kafka.rejected):
        producer.send(record.topic, record.value, key=record.key, headers=list(record.headers))
    producer.flush()
    producer.close()


def frames(settings: Settings) -> list[tuple[bytes | None, bytes]]:
    """Key and value of all that was sent to the topic of frames, and committed."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka.brokers, isolation_level="read_committed")
    parts = [TopicPartition(settings.kafka.frames, n) for n in range(2)]
    consumer.assign(parts)
    consumer.seek_to_beginning(*parts)
    ends = consumer.end_offsets(parts)
    found = []
    while any(consumer.position(part) < ends[part] for part in parts):
        for records in consumer.poll(timeout_ms=300).values():
            found += [(record.key, record.value) for record in records]
    consumer.close()
    return found


def test_listed_by_what_they_have_and_counted(settings: Settings) -> None:
    reject(
        settings,
        rejection(settings, 1, b"{}", sensor="t"),
        rejection(settings, 1, b"{}", sensor="u", reason=Reason.VALUE_TYPE),
        rejection(settings, 2, b"no", machine="a/b/c/d/pump-1", reason=Reason.NOT_JSON),
    )
    kafka = settings.kafka
    everything = overview(kafka, Choice())
    assert everything.reasons == {"machine-unknown": 1, "value-not-a-number": 1, "not-json": 1}
    assert len({one.message for one in everything.newest}) == 2, "two rejections are of one message"
    for choice, count in (
        (Choice(machine="*/press-*"), 2),
        (Choice(sensor="u"), 1),
        (Choice(reasons=frozenset({"not-json"})), 1),
        (Choice(since=now_ms() + 1000), 0),
        (Choice(until=now_ms() - 60_000), 0),
    ):
        assert overview(kafka, choice).reasons.total() == count, choice
    newest = overview(kafka, Choice(), most=1)
    assert (len(newest.newest), newest.reasons.total()) == (1, 3)


def test_taken_again_once_however_often_it_is_asked(settings: Settings) -> None:
    reject(settings, *(rejection(settings, n, GOOD.replace(b"1.0", b"%d.0" % n)) for n in range(5)))
    told = retake(settings, Choice(), "Kim", dry=True)
    assert (len(told.taken), sum(one.readings for one in told.taken), frames(settings)) == (5, 5, [])
    some = next(one.message for one in overview(settings.kafka, Choice()).newest if one.offset == 2)
    assert [one.message for one in retake(settings, Choice(messages=frozenset({some})), "Kim").taken] == [
        some
    ]
    done = retake(settings, Choice(machine="*/press-*"), "Lee")
    assert (len(done.taken), done.before, done.left_out) == (4, [some], [])
    again = retake(settings, Choice(), "Lee")
    assert (again.taken, len(again.before)) == ([], 5)
    sent = frames(settings)
    assert [value for _, value in sent if b"2.0" not in value] == [
        GOOD.replace(b"1.0", b"%d.0" % n) for n in (0, 1, 3, 4)
    ], "in the order in which they came"
    assert sorted(value for _, value in sent) == [GOOD.replace(b"1.0", b"%d.0" % n) for n in range(5)]
    assert {key for key, _ in sent} == {MACHINE.encode()}
    entries = journal(settings.kafka)
    assert [one.by for one in entries.values()] == ["Kim", *["Lee"] * 4]
    assert all(one.records == one.readings == 1 for one in entries.values())


def test_what_cannot_be_taken_is_left_out_and_said_why(settings: Settings) -> None:
    reject(
        settings,
        rejection(settings, 0, b"not json", reason=Reason.NOT_JSON),
        rejection(settings, 1, GOOD, reason=Reason.DUPLICATE),
        rejection(settings, 2, b"\x00", reason=Reason.BATCH),
        rejection(settings, 3, b"", reason=Reason.SPOOL_FULL),
        rejection(settings, 4, GOOD, topic=settings.kafka.feedback),
    )
    done = retake(settings, Choice(), "Kim")
    assert done.taken == []
    why = {message.rpartition("@")[0].rpartition("/")[2]: text for message, text in done.left_out}
    assert why["0"].startswith("still: not-json")
    assert "nothing to mend" in why["1"]
    assert "whole batch" in why["2"]
    assert why["3"] == "nothing of it was kept"
    assert "no reading" in why["4"]
    assert (frames(settings), journal(settings.kafka)) == ([], {})


def test_through_a_mapping_that_is_mended(settings: Settings) -> None:
    payload = b'{"h":"press-1","at":1790000000000,"v":{"t":20.5},"w":[{}]}'
    reject(settings, rejection(settings, -1, payload, topic="plant/3", reason=Reason.MACHINE_MISSING))
    assert "still" in retake(settings, Choice(), "Kim").left_out[0][1]
    mapping = Mapping(MappingSettings(machine="a/b/c/{topic[0]}/{h}", time="at", sensors="v"))
    done = retake(settings, Choice(), "Kim", Mended(mapping, "by mapping.toml"))
    assert [(one.readings, one.how) for one in done.taken] == [(1, "by mapping.toml")]
    [(key, value)] = frames(settings)
    assert key == b"a/b/c/plant/press-1"
    assert json.loads(value)["sensors"] == {"t": [20.5]}


def test_kept_in_a_file_mended_by_hand_and_taken_again(settings: Settings, tmp_path: Path) -> None:
    reject(
        settings,
        rejection(settings, 0, GOOD[:-1], reason=Reason.NOT_JSON),
        rejection(settings, 1, b"\xff\xfe", reason=Reason.NOT_JSON),
    )
    file = tmp_path / "rejected.jsonl"
    assert export(settings.kafka, Choice(), file) == 2
    with pytest.raises(OperatorError, match="is there already"):
        export(settings.kafka, Choice(), file)
    kept = read(file)
    assert sorted(kept.values()) == sorted([GOOD[:-1], b"\xff\xfe"])
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        if "original" in line:
            line["original"] += "}"
    file.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    mended = Mended(None, f"from {file.name}", read(file))
    assert [message.partition("@")[0][-1] for message in kept] == ["0", "1"], "in the order of the messages"
    done = retake(settings, Choice(messages=frozenset(read(file))), "Kim", mended)
    assert (len(done.taken), len(done.left_out)) == (1, 1)
    assert frames(settings) == [(MACHINE.encode(), GOOD)]
    file.write_text('{"message": 1}\n')
    with pytest.raises(OperatorError, match="line 1"):
        read(file)


def test_a_command_that_dies_half_way_leaves_nothing_that_counts(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    reject(settings, *(rejection(settings, n, GOOD.replace(b"1.0", b"%d.0" % n)) for n in range(4)))
    monkeypatch.setattr("streams.rejected.retake._AT_ONCE", 2)
    parts = _in_parts

    def dying(prepared: object) -> object:
        for n, some in enumerate(parts(prepared)):  # type: ignore[arg-type]
            if n == 1:
                raise KeyboardInterrupt
            yield some

    monkeypatch.setattr("streams.rejected.retake._in_parts", dying)
    with pytest.raises(KeyboardInterrupt):
        retake(settings, Choice(), "Kim")
    monkeypatch.setattr("streams.rejected.retake._in_parts", parts)
    assert len(frames(settings)) == 2, "one transaction was whole"
    done = retake(settings, Choice(), "Kim")
    assert (len(done.taken), len(done.before)) == (2, 2)
    assert len(frames(settings)) == len(set(frames(settings))) == 4


def test_the_command(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("brokers", "frames", "rejected", "feedback", "group"):
        monkeypatch.setenv(f"YEJI_KAFKA__{name.upper()}", getattr(settings.kafka, name))
    reject(settings, rejection(settings, 0, GOOD))

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(make_app(), ["rejected", *words])
        assert result.exit_code == code, result.output
        return result.output

    text = run("list")
    assert "1 rejections: 1 machine-unknown" in text
    message = overview(settings.kafka, Choice()).newest[0].message
    assert message in text
    assert "detail 0" in run("explain", message)
    assert "1 messages in" in run("export", str(tmp_path / "kept.jsonl"))
    assert "1 messages with 1 readings would be sent again" in run("retake", message, "--dry-run")
    assert "1 messages with 1 readings were sent again" in run("retake", "--reason", "machine-unknown")
    assert "0 messages with 0 readings were sent again, 0 were left out, 1 were taken again before" in run(
        "retake", message
    )
    assert "taken again" in run("explain", message)
    assert "(taken again)" in run("list")
    assert "1 messages were taken again" in run("journal")
    for words in (["retake"], ["list", "--reason", "odd"], ["explain", "none"], ["list", "--since", "soon"]):
        result = CliRunner().invoke(make_app(), ["rejected", *words])
        assert result.exception is not None


@pytest.mark.parametrize("text", ["soon", "2 h", "2026-13-01"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(OperatorError, match="is no time"):
        moment(text, 0)
