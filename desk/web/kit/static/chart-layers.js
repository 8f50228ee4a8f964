// What lies behind and in front of a chart's line: alarms, limits, the usual and the expected values, states.
"use strict";
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function inside(plot, draw) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    draw(ctx, bbox, uPlot.pxRatio);
    ctx.restore();
  }

  function level(plot, ctx, value, x0, x1, dash, stroke, pixels) {
    const y = plot.valToPos(value, "y", true);
    ctx.strokeStyle = stroke;
    ctx.lineWidth = pixels;
    ctx.setLineDash(dash.map((one) => one * pixels));
    ctx.beginPath();
    ctx.moveTo(x0, y);
    ctx.lineTo(x1, y);
    ctx.stroke();
  }

  function background(plot, { data, one, usual }) {
    if (!data) return;
    inside(plot, (ctx, bbox) => {
      const range = one.kind === "sensor" && usual?.[one.name];
      if (range) {
        const top = plot.valToPos(range[1], "y", true);
        ctx.fillStyle = colour("--usual");
        ctx.fillRect(bbox.left, top, bbox.width, Math.max(plot.valToPos(range[0], "y", true) - top, 1));
      }
      for (const alarm of data.alarms) {
        if (one.kind === "sensor" && alarm.sensor && alarm.sensor !== one.name) continue;
        const x0 = Math.max(bbox.left, plot.valToPos(alarm.start, "x", true));
        const x1 = Math.min(bbox.left + bbox.width, plot.valToPos(alarm.end ?? data.end, "x", true));
        if (x1 < bbox.left || x0 > bbox.left + bbox.width) continue;
        ctx.fillStyle = colour(alarm.kind === "quality" ? "--quality-band" : "--alarm-band");
        ctx.fillRect(x0, bbox.top, Math.max(x1 - x0, 2), bbox.height);
      }
    });
  }

  function sensorLines(plot, { data, one }) {
    inside(plot, (ctx, bbox, pixels) => {
      const right = bbox.left + bbox.width;
      ctx.font = `${11 * pixels}px system-ui, sans-serif`;
      for (const limit of one.limits) {
        const ink = colour(limit.trip ? "--alarm" : "--high");
        level(plot, ctx, limit.value, bbox.left, right, limit.trip ? [] : [6, 4], ink, pixels);
        ctx.fillStyle = ink;
        ctx.fillText(limit.name, bbox.left + 4 * pixels, plot.valToPos(limit.value, "y", true) - 3 * pixels);
      }
      for (const alarm of data.alarms) {
        const expected = alarm.expected[one.name];
        if (expected === undefined) continue;
        const x0 = plot.valToPos(alarm.start, "x", true);
        level(plot, ctx, expected, x0, Math.max(x0 + 8 * pixels, plot.valToPos(alarm.end ?? data.end, "x", true)), [2, 3], colour("--accent"), 2 * pixels);
      }
    });
  }

  function scoreLines(plot, { data, state, time }, nines) {
    inside(plot, (ctx, bbox, pixels) => {
      level(plot, ctx, nines(data.threshold), bbox.left, bbox.left + bbox.width, [6, 4], colour("--alarm"), pixels);
      // The state of every reading as a strip along the bottom.
      const colours = ["--learning", "--normal", "--suspect", "--alarm"].map(colour);
      const height = 4 * pixels;
      for (let i = 0; i < time.length; ) {
        const first = i;
        while (i < time.length && state[i] === state[first]) i += 1;
        if (state[first] === null) continue;
        const x0 = plot.valToPos(time[first], "x", true);
        const x1 = plot.valToPos(time[i] ?? time[i - 1] + (data.step || 1), "x", true);
        ctx.fillStyle = colours[state[first]];
        ctx.fillRect(x0, bbox.top + bbox.height - height, Math.max(x1 - x0, pixels), height);
      }
    });
  }

  function foreground(plot, entry, nines) {
    if (!entry.data) return;
    if (entry.one.kind === "score") scoreLines(plot, entry, nines);
    if (entry.one.kind === "sensor") sensorLines(plot, entry);
  }

  window.yeji.layers = { background, foreground, colour };
})();
