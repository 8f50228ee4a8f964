"""What the pipeline and the desk say of an alarm in English, in Korean: causes, and why an act is refused."""

from __future__ import annotations

import re

_NUMBER = r"(-?\d[\d.e+-]*|-?inf|nan)"
_CHANGED = {
    "zone C": "ISO 20816 C 구역",
    "zone D": "ISO 20816 D 구역",
    "warn": "경고 한계 초과",
    "trip": "정지 한계 초과",
    "low_warn": "하한 경고",
    "low_trip": "하한 정지",
    "stuck": "값 고정",
    "dropout": "값 누락",
    "spikes": "이상 급등락",
    "saturated": "측정 범위 끝",
    "drift": "센서 드리프트",
    "gap": "데이터 끊김",
    "acknowledge": "확인",
    "close": "종결",
    "shelve-once": "보류",
    "shelve-timed": "보류",
    "unshelve": "보류 해제",
    "out-of-service": "사용 중지",
    "in-service": "사용 재개",
    "the condition is not there": "알람 상태가 아닙니다",
    "nothing waits for an acknowledgement": "확인을 기다리는 알람이 없습니다",
    "somebody has acknowledged it already": "이미 확인되었습니다",
    "it is shelved, suppressed or out of service, so nobody is asked to acknowledge it": (
        "보류, 억제 또는 사용 중지 상태라서 확인이 필요하지 않습니다"
    ),
    "it is not shelved": "보류 중이 아닙니다",
    "a one-shot shelf has no time to run out": "해소될 때까지의 보류에는 만료 시각이 없습니다",
    "one-shot shelving lasts until the alarm ends, and there is none": "해소를 기다릴 알람이 없습니다",
    "it is suppressed already": "이미 억제되어 있습니다",
    "it is not suppressed": "억제 상태가 아닙니다",
    "it is out of service already": "이미 사용 중지되어 있습니다",
    "it is in service": "사용 중입니다",
    "it is out of service; put it in service first": "사용 중지 상태입니다. 먼저 사용을 재개하십시오",
    "it is latched already": "이미 반복 알람으로 유지되고 있습니다",
    "it is not latched": "반복 알람 상태가 아닙니다",
}

#: Whole sentences; a group is translated too when `_CHANGED` knows it.
_SENTENCES = tuple(
    (re.compile(english, re.DOTALL), korean)
    for english, korean in (
        # causes: detectors/quality/quality.py and pipeline/events.py
        (
            rf"(stuck|saturated): {_NUMBER} for (\d+) readings, at the end of its range; "
            r"at most (\d+) in its history",
            "{0}: 측정 범위 끝값 {1}이(가) {2}회 연속, 이전 최대 {3}회",
        ),
        (
            rf"(stuck|saturated): {_NUMBER} for (\d+) readings; at most (\d+) in its history",
            "{0}: 같은 값 {1}이(가) {2}회 연속, 이전 최대 {3}회",
        ),
        (
            r"(dropout): no value for (\d+) readings; at most (\d+) in its history",
            "{0}: {1}회 연속 값 없음, 이전 최대 {2}회",
        ),
        (
            rf"(drift): {_NUMBER} is not what the other sensors foretell, while they agree",
            "{0}: 측정값 {1}이(가) 서로 일치하는 다른 센서들의 예측과 다름",
        ),
        (
            rf"(spikes): repeated spikes, the latest {_NUMBER}; usual are {_NUMBER} to {_NUMBER}",
            "{0}: 반복 발생, 최근 {1}, 평소 {2} ~ {3}",
        ),
        (rf"(saturated): {_NUMBER} is at the end of what it can measure", "{0}: 측정값 {1}"),
        (
            rf"(gap): nothing for {_NUMBER} s; usual is {_NUMBER} s",
            "{0}: {1}초 동안 수신 없음, 평소 간격 {2}초",
        ),
        (rf"([\w ]+): {_NUMBER}, limit {_NUMBER}", "{0}: 측정값 {1}, 한계값 {2}"),
        (r"channel (\S+) failed (\d+) times: (.*)", "채널 {0} 전송 {1}회 실패: {2}"),
        # refusals: desk/rules/desk.py, desk/service/desk.py, desk/web/pages/alarms.py
        (r"([\w-]+) is not possible: (.*)\.", "{0}할 수 없음: {1}."),
        (r"The comment is empty\.", "의견을 입력하십시오."),
        (r"Say why it goes out of service: .*", "다음 근무조를 위해 사용 중지 이유를 적으십시오."),
        (r"Say why it is shelved: .*", "다음 근무조를 위해 보류 이유를 적으십시오."),
        (
            r"Nothing can be said of an alarm whose beginning never arrived\.",
            "발생 기록이 없는 알람은 판정할 수 없습니다.",
        ),
        (r"The stretch ends before it begins\.", "종료 시각이 시작 시각보다 빠릅니다."),
        (r"The window ends before it begins\.", "종료 시각이 시작 시각보다 늦어야 합니다."),
        (r"Name the failure mode of a confirmed fault, .*", "고장 유형을 적으십시오. 예: bearing-wear"),
        (r"Name the sensor that is faulty\.", "고장 난 센서를 고르십시오."),
        (r"Say why it is changed: .*", "다른 사람도 이 내용으로 일합니다. 변경 이유를 적으십시오."),
        (r"Frequency and minutes are numbers\.", "빈도와 시간은 숫자로 적으십시오."),
        (r"Choose who does the checks\.", "점검 담당을 고르십시오."),
        (r"Write a symptom as: (.*)", "증상은 다음과 같이 적으십시오: {0}"),
        (r"This window has ended already\.", "이미 종료된 정비입니다."),
        (r"(\S+) is down already\.", "{0}: 이미 정지로 표시되어 있습니다."),
        (r"(\S+) is not down\.", "{0}: 정지 상태가 아닙니다."),
        (r"This alarm has come again since; .*", "알람이 다시 발생했습니다. 새 알람을 먼저 확인하십시오."),
        (r"The shelf would end before it begins; .*", "보류 종료 시각은 지금보다 늦어야 합니다."),
        (
            r"At most ([\d.]+) hours on the shelf; .*",
            "보류는 최대 {0}시간입니다. 더 길게 하려면 사용 중지하십시오.",
        ),
        (r"That is none of the times offered\.", "제시된 시간 중에서 고르십시오."),
        (r"Say what was found: .*", "점검 결과를 네 가지 중에서 고르십시오."),
    )
)


def said(text: str, language: str) -> str:
    """``text`` in ``language``; what is not known stays as it is, for a cause in English is better than none.

    >>> said("zone C: 4.8, limit 4.5", "ko")
    'ISO 20816 C 구역: 측정값 4.8, 한계값 4.5'
    >>> said("close is not possible: it is not shelved.", "ko")
    '종결할 수 없음: 보류 중이 아닙니다.'
    >>> said("written by hand", "ko"), said("zone C: 4.8, limit 4.5", "en")
    ('written by hand', 'zone C: 4.8, limit 4.5')
    """
    if language != "ko" or not text:
        return text
    for english, korean in _SENTENCES:
        if found := english.fullmatch(text):
            return korean.format(*(_CHANGED.get(one, one) for one in found.groups()))
    return _CHANGED.get(text, text)
