"""Every word on the local page, in English and Korean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Language = Literal["en", "ko"]

#: What each language calls itself.
LANGUAGES: dict[Language, str] = {"en": "English", "ko": "한국어"}

#: key → (English, Korean); values in braces are filled in by `Texts`.
TEXTS: Mapping[str, tuple[str, str]] = {
    # frame
    "skip": ("Skip to content", "본문으로 건너뛰기"),
    "sections": ("Sections", "메뉴"),
    "fleet": ("Fleet", "설비 현황"),
    "alarms": ("Alarms", "알람"),
    "rejected": ("Rejected input", "거부된 입력"),
    "language": ("Language", "언어"),
    "theme": ("Appearance", "화면 모드"),
    "theme.auto": ("As the system", "시스템 설정"),
    "theme.light": ("Light", "밝게"),
    "theme.dark": ("Dark", "어둡게"),
    "live": ("Live", "실시간"),
    "lost": (
        "No connection to Yeji. What you see may be old; it is tried again by itself.",
        "Yeji와 연결이 끊겼습니다. 보이는 내용이 오래되었을 수 있으며, 자동으로 다시 연결합니다.",
    ),
    "noscript": (
        "Charts and live updates need JavaScript. Reload the page to see what is new.",
        "차트와 실시간 갱신에는 JavaScript가 필요합니다. 새 내용을 보려면 페이지를 새로 고치십시오.",
    ),
    # states
    "state.learning": ("Learning", "학습 중"),
    "state.normal": ("Normal", "정상"),
    "state.suspect": ("Suspect", "의심"),
    "state.alarm": ("Alarm", "알람"),
    "kind.condition": ("Condition", "상태 이상"),
    "kind.quality": ("Sensor fault", "센서 이상"),
    "kind.limit": ("Limit", "한계 초과"),
    "severity": ("Severity", "심각도"),
    "severity.1": ("Low", "낮음"),
    "severity.2": ("Medium", "보통"),
    "severity.3": ("High", "높음"),
    "severity.4": ("Urgent", "긴급"),
    # fleet
    "fleet.title": ("Fleet", "설비 현황"),
    "machines": ("Machines", "설비"),
    "search": ("Find a machine", "설비 찾기"),
    "search.go": ("Find", "찾기"),
    "search.none": ("No machine's name contains “{q}”.", "이름에 “{q}”이(가) 들어간 설비가 없습니다."),
    "search.all": ("Show all machines", "모든 설비 보기"),
    "health": ("Health", "건전도"),
    "health.of": ("Health {value} of 100", "건전도 100 중 {value}"),
    "health.trend": ("Recent health", "최근 건전도"),
    "score": ("Score", "점수"),
    "machine.class": ("Class", "종류"),
    "last": ("Last reading", "마지막 측정"),
    "open.alarms": ("Open alarms", "미해제 알람"),
    "n.open": ("{n} open", "미해제 {n}건"),
    "show.more": ("Show all {n} machines", "설비 {n}대 모두 보기"),
    "worst.first": ("Worst first", "나쁜 순"),
    "fleet.empty": ("No machine has sent a reading yet", "아직 측정값을 보낸 설비가 없습니다"),
    "fleet.empty.how": (
        "Machines appear here with their first reading. This page updates by itself.",
        "첫 측정값이 들어오면 설비가 여기에 나타납니다. 이 페이지는 자동으로 갱신됩니다.",
    ),
    # machine
    "machine.unknown": ("No such machine", "없는 설비입니다"),
    "machine.unknown.how": (
        "{machine} has sent no reading to this store. Look for it in the fleet.",
        "{machine}은(는) 이 저장소에 측정값을 보낸 적이 없습니다. 설비 현황에서 찾아보십시오.",
    ),
    "range": ("Time range", "기간"),
    "range.all": ("All", "전체"),
    "range.alarm": ("Around the alarm", "알람 전후"),
    "range.zoom": ("Chosen in a chart", "차트에서 선택"),
    "range.hint": (
        "Drag across a chart to look closer; double-click to go back.",
        "차트를 끌어서 확대하고, 두 번 눌러 되돌립니다.",
    ),
    "charts": ("Charts", "차트"),
    "charts.loading": ("Loading the charts…", "차트를 불러오는 중…"),
    "charts.failed": (
        "The charts could not be loaded; they are tried again with the next reading.",
        "차트를 불러오지 못했습니다. 다음 측정값이 오면 다시 시도합니다.",
    ),
    "charts.none": ("No readings in this time range", "이 기간에는 측정값이 없습니다"),
    "score.how": (
        "How unusual a reading is: 0.99 is reached by one healthy reading in 100. The line is the threshold.",
        "측정값이 얼마나 이례적인지: 0.99는 정상 측정값 100개 중 1개꼴입니다. 선은 임계값입니다.",
    ),
    "health.how": ("100 = as when it was healthy", "100 = 정상일 때와 같음"),
    "threshold": ("threshold", "임계값"),
    "mean": ("mean", "평균"),
    "least": ("least", "최소"),
    "most": ("most", "최대"),
    "latest": ("latest", "최근"),
    "missing": ("missing", "없음"),
    "prognosis": ("Prognosis", "예지"),
    "prognosis.within": (
        "reaches health {threshold} in about {remaining}",
        "약 {remaining} 뒤 건전도 {threshold}에 도달",
    ),
    "prognosis.interval": ("90 % between {low} and {high}", "90 % 구간: {low} ~ {high}"),
    "prognosis.open": ("90 %: not before {low}", "90 %: {low} 이후"),
    "prognosis.none": ("No decline in sight", "저하 징후 없음"),
    "prognosis.unknown": ("Not known yet", "아직 알 수 없음"),
    "learning.how": (
        "The model is learning what is normal for this machine; scores follow.",
        "이 설비의 정상 상태를 학습하는 중이며, 이후 점수가 나옵니다.",
    ),
    "contributions": ("What raised it", "원인 센서"),
    "sensor": ("Sensor", "센서"),
    "share": ("Share", "기여도"),
    "value": ("Value", "측정값"),
    "expected": ("Expected", "기대값"),
    "deviation": ("Off by", "편차"),
    "deviation.sd": ("{value} σ", "{value} σ"),
    # alarms
    "alarms.open": ("Open alarms", "미해제 알람"),
    "alarms.past": ("Past alarms", "지난 알람"),
    "alarms.none.open": ("No open alarms", "미해제 알람 없음"),
    "alarms.none.past": ("No past alarms", "지난 알람 없음"),
    "machine": ("Machine", "설비"),
    "since": ("Since", "시작"),
    "lasted": ("Lasted", "지속"),
    "lasting": ("For {duration}", "{duration}째"),
    "kind": ("Kind", "유형"),
    "detail": ("Detail", "내용"),
    "peak": ("Peak score", "최고 점수"),
    "alarms.more": ("Show more past alarms", "지난 알람 더 보기"),
    "alarm.see": ("See what happened", "자세히 보기"),
    # rejected input
    "rejected.title": ("Rejected input", "거부된 입력"),
    "rejected.none": ("Nothing was rejected", "거부된 입력이 없습니다"),
    "rejected.none.how": (
        "Input that cannot be used would be kept here, with the reason.",
        "사용할 수 없는 입력은 이유와 함께 여기에 남습니다.",
    ),
    "rejected.counts": ("By reason", "이유별"),
    "rejected.latest": ("Latest", "최근"),
    "reason": ("Reason", "이유"),
    "count": ("Count", "횟수"),
    "readings": ("Readings", "측정값 수"),
    "received": ("Received", "수신"),
    "place": ("Where", "위치"),
    "original": ("Original", "원본"),
    "original.size": ("{n} bytes", "{n}바이트"),
    # errors
    "not.found": ("There is no such page", "페이지를 찾을 수 없습니다"),
    "not.found.how": (
        "The address is wrong, or what it showed is gone.",
        "주소가 잘못되었거나 내용이 없어졌습니다.",
    ),
    "unavailable": ("The store cannot be read now", "지금은 저장소를 읽을 수 없습니다"),
    "back.to.fleet": ("Back to the fleet", "설비 현황으로"),
    # durations
    "s": ("{n} s", "{n}초"),
    "min": ("{n} min", "{n}분"),
    "h": ("{n} h", "{n}시간"),
    "d": ("{n} d", "{n}일"),
}


class Texts:
    """The texts in one language; ``more`` adds a caller's own.

    >>> Texts("ko")("n.open", n=3)
    '미해제 3건'
    """

    def __init__(self, language: Language, *more: Mapping[str, tuple[str, str]]) -> None:
        self.language = language
        self._catalogs = (*more, TEXTS)
        self._column = 0 if language == "en" else 1

    def __call__(self, key: str, **values: object) -> str:
        """The text for ``key``; KeyError when there is none."""
        for catalog in self._catalogs:
            if key in catalog:
                return catalog[key][self._column].format(**values)
        raise KeyError(f"no text is called {key!r}; add it to the catalog")

    def duration(self, ms: float) -> str:
        """A length of time in its two largest units.

        >>> Texts("en").duration(93_784_000)
        '1 d 2 h'
        >>> Texts("ko").duration(59_000)
        '59초'
        """
        seconds = max(0, round(ms / 1000))
        parts: list[tuple[str, int]] = []
        for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
            n, rest = divmod(seconds, size)
            if n or (unit == "s" and not parts):
                parts.append((unit, n))
            elif parts:
                break
            seconds = rest
            if len(parts) == 2:
                break
        return " ".join(self(unit, n=n) for unit, n in parts)
