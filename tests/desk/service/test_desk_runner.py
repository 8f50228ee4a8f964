"""The desk as it runs: threads, a broker, a webhook; and beside a pipeline in one process."""

import threading

import numpy as np
import pytest
from kafka import KafkaProducer

from connectors.kafka.settings import KafkaSettings
from connectors.sqlite.files import StoreError
from connectors.sqlite.history import SqliteHistory
from connectors.sqlite.store import SqliteSink
from desk.rules.finding import Finding
from desk.rules.scope import EVERYTHING
from desk.service.alerts import AlertReader
from desk.service.beside import DeskBeside, Verdicts
from desk.service.desk import Desk
from desk.service.feedback import pass_on
from desk.service.runner import DeskRunner, only_runner
from pipeline.pipeline import Pipeline
from pipeline.records import AlarmKind, AlarmPhase, State, VerdictKind
from pipeline.wire.alerts import encode_alert
from streams.settings import Settings
from tests.desk.notify.servers import HookServer
from tests.desk.rules.plant import PRESS, raised
from tests.pipeline.plant import START
from tests.pipeline.test_feedback import AT, MACHINE, parts, washing
from tests.pipeline.test_feedback import settings as washing_settings

SECRET = "a secret of the plant"


class Outlet:
    def __init__(self):
        self.verdicts, self.came = [], threading.Event()

    def send(self, verdicts):
        self.verdicts += verdicts
        self.came.set()


@pytest.mark.services
def test_an_alarm_from_kafka_reaches_a_webhook_and_its_verdict_goes_out(tmp_path, kafka, make_topic):
    hook, told = HookServer(), threading.Event()
    hook.answer = lambda n: told.set() or 200
    hook.start()
    cluster = KafkaSettings(brokers=kafka, alerts=make_topic("alerts"))
    url = f"http://127.0.0.1:{hook.port}/"
    notify = {
        "channels": {"hook": {"kind": "webhook", "url": url, "secret": SECRET}},
        "crews": {"crew": {"channels": ["hook"]}},
        "routes": [{"crews": ["crew"]}],
    }
    desk = Desk(tmp_path / "desk.sqlite", Settings(kafka=cluster, notify=notify))
    outlet = Outlet()
    runner = DeskRunner(desk, alerts=lambda: AlertReader(cluster, desk), outlet=outlet)
    runner.start()
    try:
        producer = KafkaProducer(bootstrap_servers=kafka)
        producer.send(cluster.alerts, encode_alert(raised(PRESS))).get(timeout=30)
        producer.close()
        assert told.wait(60)
        assert hook.bodies()[0]["alerts"][0]["labels"]["machine"] == PRESS
        desk.close_alarm(EVERYTHING, raised(PRESS).id, Finding(VerdictKind.FALSE_ALARM), by="Kim")
        assert outlet.came.wait(60)
        assert [one.alarm for one in outlet.verdicts] == [raised(PRESS).id]
    finally:
        runner.stop()
        desk.close()
        hook.stop()


def test_what_stumbles_is_tried_again(tmp_path, caplog):
    desk, outlet = Desk(tmp_path / "desk.sqlite", Settings()), Outlet()
    measured = threading.Event()
    runner = DeskRunner(desk, outlet=outlet, measure=lambda: measured.set() or 1 / 0)
    runner.start()
    assert measured.wait(30)
    desk.receive([raised(PRESS)])
    desk.close_alarm(EVERYTHING, raised(PRESS).id, Finding(VerdictKind.FALSE_ALARM), by="Kim")
    assert outlet.came.wait(30), "the other parts go on"
    runner.stop()
    desk.close()


def test_two_desks_on_one_file_are_refused(tmp_path):
    path = tmp_path / "desk.sqlite"
    with only_runner(path), pytest.raises(StoreError, match="Another `yeji desk`"), only_runner(path):
        pass
    with only_runner(path):
        pass


def test_a_crews_word_in_the_same_process_ends_the_false_alarms(tmp_path):
    pipeline, verdicts = Pipeline(washing_settings()), Verdicts()
    desk = Desk(tmp_path / "desk.sqlite", washing_settings())
    beside = DeskBeside(desk)
    alarmed = []
    for part in parts(washing(), *(start + 100 for start in AT)):
        for verdict in verdicts.drain():
            pipeline.feedback(verdict)
        results = pipeline.process([part])
        beside.batch(results)
        beside.batch(results)
        alarmed.append(int((np.concatenate([s.state for s in results.scored]) == State.ALARM).sum()))
        for alarm in desk.open_alarms(EVERYTHING):
            if alarm.kind is AlarmKind.CONDITION:
                desk.close_alarm(EVERYTHING, alarm.id, Finding(VerdictKind.FALSE_ALARM), by="Kim")
        pass_on(desk, verdicts)
    assert alarmed[0] > 0
    assert sum(alarmed[2:]) == 0
    desk.close()


def test_what_a_cut_off_run_did_not_bring_is_caught_up(tmp_path):
    desk, verdicts = Desk(tmp_path / "desk.sqlite", washing_settings()), Verdicts()
    results = Pipeline(washing_settings()).process(parts(washing(), 600)[:1])
    raises = [one for one in results.alarms if one.phase is AlarmPhase.RAISED]
    assert raises
    with SqliteSink(tmp_path / "run.sqlite") as sink:
        sink.write(results)
    beside = DeskBeside(desk)
    history = SqliteHistory(tmp_path / "run.sqlite")
    beside.catch_up(history)
    assert {e.alarm for e in desk.journal(EVERYTHING, machine=MACHINE)} == {one.id for one in results.alarms}
    verdict = desk.report_verdict(
        EVERYTHING, MACHINE, Finding(VerdictKind.PLANNED_WORK), by="Kim", start=START, end=START + 1000
    )
    pass_on(desk, verdicts)
    head = desk.head()
    beside.catch_up(history)
    assert desk.head() == head
    pass_on(desk, verdicts)
    assert verdicts.drain() == [verdict, verdict], "once more: the models may not have saved it"
    history.close()
    desk.close()
