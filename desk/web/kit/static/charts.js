// The machine page's charts: score, health and each sensor over one time axis, with alarms as bands.
"use strict";
(() => {
  const root = document.getElementById("charts");
  if (!root) return;
  const text = (key) => root.dataset["text" + key];
  const sync = uPlot.sync("machine");
  const charts = new Map(); // key → {figure, plot, caption, draw data}
  const CAP = 6; // a score of 0.999999 and more stands at the top
  const nines = (score) => (score === null ? null : score >= 1 - 10 ** -CAP ? CAP : -Math.log10(1 - Math.max(score, 0)));
  const ofNines = (y) => 1 - 10 ** -y;
  const short = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(4)).toString());
  const shortScore = (value) => (value === null || value === undefined ? "–" : (Math.floor(value * 1e6 + 1e-3) / 1e6).toString());
  const { layers } = window.yeji;
  const { colour } = layers;
  let current = null;
  // What the tools beside the charts decide: shown sensors (null = the first), another series, the usual range.
  const view = { sensors: null, ghost: null, usual: null };
  const FIRST = 12;
  const kept = "yeji-sensors " + root.dataset.machine;
  try { view.sensors = JSON.parse(sessionStorage.getItem(kept)); } catch { /* no storage: none is kept */ }

  function query() {
    const asked = new URLSearchParams({ machine: root.dataset.machine });
    for (const name of ["alarm", "from", "to", "span"]) if (name in root.dataset) asked.set(name, root.dataset[name]);
    asked.set("points", Math.min(1600, Math.max(200, Math.round(root.clientWidth * 0.8))));
    for (const name of view.sensors ?? []) asked.append("sensor", name);
    return asked;
  }

  let asking = false;
  let again = false;
  async function load() {
    if (asking) { again = true; return; }
    asking = true;
    try {
      const answer = await fetch("/api/series?" + query(), { headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error(answer.status);
      current = await answer.json();
      show(current);
    } catch (error) {
      if (!charts.size) message(text("Failed"));
    } finally {
      asking = false;
      if (again) { again = false; load(); }
    }
  }

  // What is looked at from now on (ms); null = what the page was opened with.
  const opened = { ...root.dataset };
  function look(range) {
    for (const name of ["alarm", "span", "from", "to"]) delete root.dataset[name];
    const wanted = range ? { from: Math.max(0, Math.round(range.from)), to: Math.round(range.to) } : null;
    for (const name of ["alarm", "span", "from", "to"]) {
      const value = wanted ? wanted[name] : opened[name];
      if (value !== undefined) root.dataset[name] = value;
    }
    if ("address" in root.dataset) history.replaceState(null, "", location.pathname + (wanted ? "?" + new URLSearchParams(wanted) : ""));
    root.dispatchEvent(new CustomEvent("looked", { detail: wanted }));
    load();
  }

  function message(words) {
    clear();
    const p = document.createElement("p");
    p.className = "empty";
    p.setAttribute("role", "status");
    p.textContent = words;
    root.append(p);
    root.setAttribute("aria-busy", "false");
  }

  function clear() {
    for (const { plot } of charts.values()) plot.destroy();
    charts.clear();
    root.replaceChildren();
  }

  // A stretch without readings is a gap in the line, not a straight line across it.
  function withGaps(data) {
    const { time, step } = data;
    const steps = time.slice(1).map((t, i) => t - time[i]).sort((a, b) => a - b);
    const usual = Math.max(step, steps[Math.floor(steps.length / 2)] || 0);
    const order = [];
    time.forEach((t, i) => {
      if (i && t - time[i - 1] > 5 * usual) order.push(-1 - i);
      order.push(i);
    });
    const pick = (column) => (column ? order.map((i) => (i < 0 ? null : column[i])) : null);
    return { time: order.map((i) => (i < 0 ? time[-1 - i] - usual / 2 : time[i])), pick };
  }

  function show(data) {
    if (!data.time.length) { message(text("None")); return; }
    if (!charts.size) root.replaceChildren();
    const { time, pick } = withGaps(data);
    const state = pick(data.state);
    const ghost = view.ghost ? onto(time, view.ghost) : null;
    const lines = (key, own) => (ghost ? [...own, ghost(key)] : own);
    const known = data.prognoses.filter((one) => one.low !== null || one.remaining !== null);
    const hours = (name) => time.map((t) => {
      let last = null;
      for (const one of data.prognoses) { if (one.time > t) break; last = one; }
      return last && last[name] !== null ? Math.max(0, last[name] - (t - last.time) / 3600) / 24 : null;
    });
    const sensors = data.sensors.filter((s) => s.mean).slice(0, view.sensors ? undefined : FIRST);
    const wanted = [
      { key: "score", label: text("Score"), how: text("ScoreHow"), kind: "score", columns: lines("score", [pick(data.score.map(nines))]), unit: "" },
      { key: "health", label: text("Health"), how: text("HealthHow"), kind: "health", columns: lines("health", [pick(data.health)]), unit: "" },
      ...(known.length ? [{ key: "life", label: text("Life"), how: text("LifeHow"), kind: "life", banded: true, unit: text("Days"), columns: [hours("remaining"), hours("low"), hours("high")] }] : []),
      ...sensors.map((s) => ({
        key: "sensor " + s.name, label: s.label, how: "", kind: "sensor", unit: s.unit, name: s.name, limits: s.limits, banded: Boolean(s.low),
        columns: lines("sensor " + s.name, s.low ? [pick(s.mean), pick(s.low), pick(s.high)] : [pick(s.mean)]),
      })),
    ];
    const keys = wanted.map((one) => one.key + one.columns.length).join("\n");
    if (root.dataset.shown !== keys) { clear(); root.dataset.shown = keys; }
    for (const one of wanted) {
      const entry = charts.get(one.key) || build(one);
      Object.assign(entry, { data, state, time, usual: view.usual });
      entry.columns = one.columns;
      entry.plot.setData([time, ...one.columns], false);
      entry.plot.setScale("x", span(data));
      describe(entry, null);
    }
    root.setAttribute("aria-busy", "false");
    root.dispatchEvent(new CustomEvent("shown", { bubbles: true }));
  }

  function span(data) {
    const margin = Math.max((data.end - data.start) * 0.002, 0.5);
    return { min: data.start - margin, max: data.end + margin };
  }

  // Another series on this one's time: the nearest of its values, none where it has a gap.
  function onto(time, { data, shift }) {
    const { time: own, pick } = withGaps(data);
    const at = own.map((t) => t + shift);
    const near = Math.max(data.step, 1) * 5;
    let i = 0;
    const nearest = time.map((t) => {
      while (i < at.length - 1 && Math.abs(at[i + 1] - t) <= Math.abs(at[i] - t)) i += 1;
      return at.length && Math.abs(at[i] - t) <= Math.max(near, (time[1] - time[0]) * 2 || 0) ? i : -1;
    });
    return (key) => {
      const of = key === "score" ? data.score.map(nines) : key === "health" ? data.health : data.sensors.find((s) => "sensor " + s.name === key)?.mean;
      const column = of ? pick(of) : null;
      return nearest.map((k) => (column && k >= 0 ? column[k] ?? null : null));
    };
  }

  function describe(entry, index) {
    const { one, columns, time } = entry;
    const asText = one.kind === "score" ? (y) => (y === null || y === undefined ? "–" : shortScore(ofNines(y))) : short;
    const unit = one.unit ? " " + one.unit : "";
    let at = index;
    if (at === null) { at = time.length - 1; while (at > 0 && columns[0][at] === null) at -= 1; }
    const value = columns[0][at];
    entry.value.textContent = value === null || value === undefined ? text("Missing") : asText(value) + unit;
    if (view.ghost && one.kind !== "life" && index !== null) {
      const other = columns.at(-1)[at];
      if (other !== null && other !== undefined) entry.value.textContent += ` (${text("Compared")} ${asText(other)}${unit})`;
    }
    entry.moment.textContent = index === null ? text("Latest") : window.yeji.local(new Date(time[at] * 1000));
    if (index !== null) return;
    const known = (one.banded ? columns[1] : columns[0]).filter((y) => y !== null);
    const highs = (one.banded ? columns[2] : columns[0]).filter((y) => y !== null);
    const least = known.length ? known.reduce((a, b) => Math.min(a, b)) : null;
    const most = highs.length ? highs.reduce((a, b) => Math.max(a, b)) : null;
    entry.extent.textContent = `${text("Least")} ${asText(least)} · ${text("Most")} ${asText(most)}${unit}`;
    entry.box.setAttribute("aria-label", `${one.label}: ${text("Latest")} ${entry.value.textContent}, ${entry.extent.textContent}`);
  }

  function element(tag, className, parent, words = "") {
    const made = document.createElement(tag);
    made.className = className;
    made.textContent = words;
    parent.append(made);
    return made;
  }

  function build(one) {
    const figure = element("figure", "chart " + one.kind, root);
    const caption = element("figcaption", "", figure);
    const title = element("span", "label", caption, one.label);
    if (one.how) { title.title = one.how; element("span", "hidden", caption, one.how); }
    const now = element("span", "now", caption);
    const value = element("strong", "", now);
    const moment = element("small", "", now);
    const extent = element("small", "extent", caption);
    const box = element("div", "plot", figure);
    box.setAttribute("role", "img");
    const entry = { one, figure, box, value, moment, extent };
    entry.plot = new uPlot(options(entry), [[], ...one.columns.map(() => [])], box);
    charts.set(one.key, entry);
    sizes.observe(box);
    return entry;
  }

  const sizes = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      for (const { box, plot } of charts.values()) {
        if (box === target && box.clientWidth) plot.setSize({ width: box.clientWidth, height: box.clientHeight });
      }
    }
  });

  const language = document.documentElement.lang;
  const { timeZone } = window.yeji;
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone };
  const axisFormats = [
    [86400, new Intl.DateTimeFormat(language, { month: "short", day: "numeric", timeZone })],
    [60, new Intl.DateTimeFormat(language, clock)],
    [0, new Intl.DateTimeFormat(language, { ...clock, second: "2-digit" })],
  ];
  const dayFormat = axisFormats[0][1];

  function times(plot, splits, axis, space, increment) {
    const format = axisFormats.find(([least]) => increment >= least)[1];
    let before = null;
    return splits.map((split) => {
      const moment = new Date(split * 1000);
      const today = dayFormat.format(moment);
      const words = format === dayFormat ? today : format.format(moment) + (today === before ? "" : "\n" + today);
      before = today;
      return words;
    });
  }

  function options(entry) {
    const { one } = entry;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const line = colour(one.kind === "sensor" ? "--trace" : "--accent");
    const ink = colour("--muted");
    const grid = { stroke: colour("--line"), width: 1 };
    const font = `${Math.round(rem * 0.72)}px system-ui, sans-serif`;
    const axis = { stroke: ink, grid, ticks: grid, font };
    const thin = { stroke: "transparent", points: { show: false } };
    const trace = { stroke: line, width: 1.5, points: { show: false } };
    const other = { stroke: ink, width: 1.25, dash: [5, 4], points: { show: false } };
    const ranges = {
      score: { range: (_, least, most) => [0, Math.min(CAP, Math.max(4, nines(entry.data?.threshold ?? 0) + 1, most ?? 0)) * 1.02] },
      health: { range: () => [0, 100] },
      life: { range: (_, least, most) => [0, Math.max(1, most ?? 1) * 1.05] },
      sensor: { range: (_, least, most) => uPlot.rangeNum(least ?? 0, most ?? 1, 0.1, true) },
    };
    return {
      ...(timeZone && { tzDate: (time) => uPlot.tzDate(new Date(time * 1000), timeZone) }),
      width: entry.box.clientWidth || 300,
      height: entry.box.clientHeight || 150,
      padding: [rem * 0.4, rem * 0.6, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: sync.key, setSeries: false },
        drag: { x: true, y: false, setScale: false },
        lock: false,
        points: { size: 7 },
      },
      scales: { x: { time: true, auto: false }, y: ranges[one.kind] },
      axes: [
        { ...axis, values: times, size: rem * 2.9, space: rem * 4.5 },
        one.kind === "score"
          ? { ...axis, size: rem * 4.6, splits: () => [0, 1, 2, 3, 4, 5, 6], values: (_, ys) => ys.map((y) => (y === 0 ? "0" : ofNines(y).toFixed(y))) }
          : { ...axis, size: rem * 3.6, space: rem * 2 },
      ],
      series: [{}, trace, ...(one.banded ? [thin, thin] : []), ...(one.columns.length % 2 ? [] : [other])],
      bands: one.banded ? [{ series: [3, 2], fill: colour("--band") }] : [],
      hooks: {
        drawClear: [(plot) => layers.background(plot, entry)],
        draw: [(plot) => layers.foreground(plot, entry, nines)],
        setCursor: [(plot) => { if (entry.data) describe(entry, plot.cursor.idx ?? null); }],
        setSelect: [(plot) => {
          const { left, width } = plot.select;
          if (width < 6) return;
          const from = plot.posToVal(left, "x") * 1000;
          const to = plot.posToVal(left + width, "x") * 1000;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          if (to - from >= 2) look({ from, to });
        }],
        ready: [(plot) => plot.over.addEventListener("dblclick", () => look(null)), (plot) => root.dispatchEvent(new CustomEvent("built", { detail: plot }))],
      },
    };
  }

  function redraw() {
    clear();
    delete root.dataset.shown;
    if (current) show(current);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.body.addEventListener("changed", load);
  // Where news are of alarms alone, readings are asked for now and then.
  if (root.dataset.refresh) setInterval(() => { if (!document.hidden) load(); }, root.dataset.refresh * 1000);
  window.yeji.charts = { root, kept, charts, view, look, load, text, data: () => current, refresh: () => current && show(current), nines };
  load();
})();
