// Beside the charts: which sensors, compared with what, the usual range, what moved with what, and what to take away.
"use strict";
(() => {
  const tools = document.getElementById("chart-tools");
  const shared = window.yeji.charts;
  if (!tools || !shared) return;
  const { root, charts, view, look, load, text } = shared;
  const { colour } = window.yeji.layers;
  const machine = root.dataset.machine;
  const find = (id) => document.getElementById(id);
  const asJson = async (address, asked) => {
    const answer = await fetch(address + "?" + new URLSearchParams(asked));
    return answer.ok ? answer.json() : null;
  };

  // -- which sensors: remembered in this tab
  function choices(data) {
    const list = find("sensor-choices");
    if (list.childElementCount === data.sensors.length) return;
    list.replaceChildren(...data.sensors.map((sensor, i) => {
      const label = document.createElement("label");
      const box = document.createElement("input");
      box.type = "checkbox";
      box.value = sensor.name;
      box.checked = view.sensors ? view.sensors.includes(sensor.name) : i < 12;
      label.append(box, " " + sensor.label);
      return label;
    }));
  }
  find("sensor-choices").addEventListener("change", () => {
    const chosen = [...find("sensor-choices").querySelectorAll("input:checked")].map((box) => box.value);
    if (!chosen.length) return;
    view.sensors = chosen;
    try { sessionStorage.setItem(shared.kept, JSON.stringify(chosen)); } catch { /* no storage: none is kept */ }
    load();
  });

  // -- the usual range
  let usual = null;
  let asked = "";
  async function range(data) {
    const key = String(Math.floor(data.start / 3600));
    if (asked !== key) {
      asked = key;
      usual = await asJson("/api/usual", { machine, from: Math.floor(data.start * 1000), to: Math.ceil(data.end * 1000) + 1 });
    }
    const shown = find("usual").checked ? usual : null;
    if (view.usual !== shown) { view.usual = shown; shared.refresh(); }
    moved(data);
  }
  find("usual").addEventListener("change", () => range(shared.data()));

  // -- compared with another time or machine
  const compare = find("compare");
  async function compared() {
    const data = shared.data();
    const chosen = compare.value;
    if (!chosen || !data) { view.ghost = null; return; }
    let shift = 0;
    const wanted = { machine, points: 600 };
    if (chosen.startsWith("machine:")) wanted.machine = chosen.slice(8);
    else shift = chosen.startsWith("repair:") ? data.end - data.start : Number(chosen);
    wanted.from = Math.floor((data.start - shift) * 1000);
    wanted.to = Math.ceil((data.end - shift) * 1000) + 1;
    const other = await asJson("/api/series", wanted);
    view.ghost = other ? { data: other, shift } : null;
  }
  compare.addEventListener("change", async () => {
    const data = shared.data();
    if (compare.value.startsWith("repair:")) {
      const at = Number(compare.value.slice(7)); // from the repair on, with the same length before it beside it
      look({ from: at, to: at + Math.max(3_600_000, (data.end - data.start) * 1000) });
      return;
    }
    await compared();
    shared.refresh();
  });
  let sisters = false;
  compare.addEventListener("focus", async () => {
    if (sisters) return;
    sisters = true;
    for (const name of (await asJson("/api/sisters", { machine })) ?? []) {
      find("sisters").append(new Option(name.split("/").slice(-2).join(" › "), "machine:" + name));
    }
  });

  // -- what moved with what: how far outside its usual range each sensor is, in half widths of that range
  const RISE = 1.25;
  function moved(data) {
    const section = find("moved");
    const rows = data.sensors.filter((sensor) => sensor.mean && usual?.[sensor.name]).map((sensor) => {
      const [low, high] = usual[sensor.name];
      const half = Math.max((high - low) / 2, 1e-9 * Math.max(Math.abs(low), Math.abs(high), 1e-9));
      const off = sensor.mean.map((y) => (y === null ? null : Math.abs(y - (low + high) / 2) / half));
      let first = null; // outside from here on for three in a row
      for (let i = 0; i + 2 < off.length && first === null; i += 1) if (off[i] > RISE && off[i + 1] > RISE && off[i + 2] > RISE) first = i;
      return { label: sensor.label, off, first, most: off.reduce((a, b) => Math.max(a, b ?? 0), 0) };
    });
    section.hidden = !rows.length;
    if (!rows.length) return;
    const left = rows.filter((row) => row.first !== null).sort((a, b) => a.first - b.first || b.most - a.most).slice(0, 6);
    const when = (row) => `${row.label} ${window.yeji.local(new Date(data.time[row.first] * 1000))} (×${row.most.toPrecision(2)})`;
    find("moved-order").textContent = left.length
      ? `${section.dataset.textFirst} ${left.map(when).join(` · ${section.dataset.textThen} `)}` : section.dataset.textNone;
    const order = [...left, ...rows.filter((row) => !left.includes(row))].slice(0, 16);
    draw(order, data);
  }
  function draw(rows, data) {
    const heat = find("heat");
    heat.replaceChildren(...rows.map((row) => {
      const line = document.createElement("div");
      const label = document.createElement("span");
      const canvas = document.createElement("canvas");
      label.textContent = row.label;
      canvas.width = 600;
      canvas.height = 1;
      const ctx = canvas.getContext("2d");
      ctx.fillStyle = colour("--alarm");
      row.off.forEach((off, i) => {
        if (off === null) return;
        ctx.globalAlpha = Math.min(1, Math.max(0, (off - 1) / 3));
        const x0 = ((data.time[i] - data.start) / (data.end - data.start)) * 600;
        const next = data.time[i + 1] ?? data.end;
        ctx.fillRect(x0, 0, Math.max(1, ((Math.min(next, data.time[i] + 5 * (data.step || next - data.time[i])) - data.time[i]) / (data.end - data.start)) * 600), 1);
      });
      line.append(label, canvas);
      return line;
    }));
  }

  // -- to take away, and to the same time elsewhere
  function addresses(data) {
    const [from, to] = [Math.floor(data.start * 1000), Math.ceil(data.end * 1000)];
    find("csv").href = "/api/series.csv?" + new URLSearchParams({ machine, from, to: to + 1 });
    const grafana = find("grafana");
    if (grafana) grafana.href = `${grafana.dataset.base}&from=${from}&to=${to}`;
  }
  find("png").addEventListener("click", () => {
    const ratio = uPlot.pxRatio;
    const parts = [...charts.values()].map(({ one, plot, value, extent }) => ({ words: `${one.label}  ${value.textContent}  ${extent.textContent}`, canvas: plot.ctx.canvas }));
    if (!parts.length) return;
    const head = 26 * ratio;
    const sheet = document.createElement("canvas");
    sheet.width = Math.max(...parts.map(({ canvas }) => canvas.width)) + 2 * head;
    sheet.height = parts.reduce((sum, { canvas }) => sum + canvas.height + head, 2 * head);
    const ctx = sheet.getContext("2d");
    ctx.fillStyle = colour("--surface");
    ctx.fillRect(0, 0, sheet.width, sheet.height);
    ctx.fillStyle = colour("--ink");
    const data = shared.data();
    const local = (time) => window.yeji.local(new Date(time * 1000));
    ctx.font = `bold ${15 * ratio}px system-ui, sans-serif`;
    ctx.fillText(`${machine}  ${local(data.start)} – ${local(data.end)}`, head, head);
    let y = 2 * head;
    for (const { words, canvas } of parts) {
      ctx.font = `${12 * ratio}px system-ui, sans-serif`;
      ctx.fillText(words, head, y - 6 * ratio);
      ctx.drawImage(canvas, head, y);
      y += canvas.height + head;
    }
    sheet.toBlob((blob) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${machine.split("/").at(-1)} ${new Date(data.start * 1000).toISOString().slice(0, 16).replace(":", "")}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    });
  });

  root.addEventListener("looked", ({ detail }) => {
    const chosen = find("chosen");
    chosen.hidden = !detail;
    for (const one of document.querySelectorAll(".range nav [aria-current]")) if (one !== chosen) one.removeAttribute("aria-current");
    if (detail) {
      const local = (time) => window.yeji.local(new Date(time));
      chosen.textContent = `${tools.dataset.textChosen}: ${local(detail.from)} – ${local(detail.to)}`;
    }
  });
  let drawn = null;
  root.addEventListener("shown", async () => {
    const data = shared.data();
    if (drawn === data) return; // drawn again with what was asked for here
    drawn = data;
    choices(data);
    addresses(data);
    if (compare.value) { await compared(); shared.refresh(); }
    await range(data);
  });
})();
