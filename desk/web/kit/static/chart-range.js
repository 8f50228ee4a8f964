// Pan and zoom of the charts: wheel, two fingers, one finger along, buttons. All charts move together.
"use strict";
(() => {
  const shared = window.yeji.charts;
  if (!shared) return;
  const { root, charts, look } = shared;
  const LEAST = 2; // seconds: closer there is nothing to see
  let pending = 0;

  const scale = () => {
    const { value } = charts.values().next();
    return value ? { min: value.plot.scales.x.min, max: value.plot.scales.x.max } : null;
  };

  // Show it at once with the readings that are there, and ask for those of the new stretch when it stands still.
  function move(min, max) {
    if (!(max - min >= LEAST)) return;
    for (const { plot } of charts.values()) plot.setScale("x", { min, max });
    clearTimeout(pending);
    pending = setTimeout(() => look({ from: min * 1000, to: max * 1000 }), 250);
  }

  function zoom(factor, at) {
    const now = scale();
    if (!now) return;
    const center = at ?? (now.min + now.max) / 2;
    move(center - (center - now.min) * factor, center + (now.max - center) * factor);
  }

  function pan(share) {
    const now = scale();
    if (now) move(now.min + (now.max - now.min) * share, now.max + (now.max - now.min) * share);
  }

  root.addEventListener("built", ({ detail: plot }) => {
    const { over } = plot;
    const time = (event) => plot.posToVal(event.clientX - over.getBoundingClientRect().left, "x");
    // With a key held the wheel is the chart's; without, it goes on scrolling the page.
    over.addEventListener("wheel", (event) => {
      if (event.shiftKey) { event.preventDefault(); pan((event.deltaY || event.deltaX) / 1000); return; }
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(1.0015 ** Math.max(-400, Math.min(400, event.deltaY * (event.deltaMode ? 30 : 1))), time(event));
    }, { passive: false });

    // One finger along moves, two zoom; up and down stays the page's (touch-action in the style).
    const fingers = new Map();
    let began = null;
    const grip = () => {
      const xs = [...fingers.values()].map((x) => x - over.getBoundingClientRect().left);
      began = { ...scale(), xs, width: over.clientWidth };
    };
    over.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "touch") return;
      fingers.set(event.pointerId, event.clientX);
      over.setPointerCapture(event.pointerId);
      grip();
    });
    over.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId) || !began || began.min === undefined) return;
      fingers.set(event.pointerId, event.clientX);
      const left = over.getBoundingClientRect().left;
      const xs = [...fingers.values()].map((x) => x - left);
      const unit = (began.max - began.min) / began.width;
      const at = (x) => began.min + x * unit; // which time a finger holds
      if (xs.length === 1) {
        const by = (xs[0] - began.xs[0]) * unit;
        if (Math.abs(xs[0] - began.xs[0]) > 4) move(began.min - by, began.max - by);
      } else if (xs.length === 2 && began.xs.length === 2 && Math.abs(xs[1] - xs[0]) > 10) {
        const each = (at(began.xs[1]) - at(began.xs[0])) / (xs[1] - xs[0]);
        if (each > 0) move(at(began.xs[0]) - xs[0] * each, at(began.xs[0]) + (began.width - xs[0]) * each);
      }
    });
    const released = (event) => { if (fingers.delete(event.pointerId)) grip(); };
    over.addEventListener("pointerup", released);
    over.addEventListener("pointercancel", released);
  });

  document.addEventListener("click", (event) => {
    const way = event.target.closest?.("[data-zoom]")?.dataset.zoom;
    if (way === "in") zoom(0.5);
    if (way === "out") zoom(2);
    if (way === "earlier") pan(-0.5);
    if (way === "later") pan(0.5);
    if (way === "reset") { clearTimeout(pending); look(null); }
  });
})();
