// Live updates, and times in the page's zone, or the reader's own. Everything else works without script.
"use strict";
(() => {
  const language = document.documentElement.lang;

  // Times: the server writes UTC; the reader sees local time and finds UTC in the title.
  const timeZone = document.documentElement.dataset.zone || undefined;
  const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone };
  const day = { month: "short", day: "numeric" };
  const formats = {
    today: new Intl.DateTimeFormat(language, clock),
    year: new Intl.DateTimeFormat(language, { ...day, ...clock }),
    other: new Intl.DateTimeFormat(language, { year: "numeric", ...day, ...clock }),
  };
  const dates = new Intl.DateTimeFormat("en-CA", { year: "numeric", month: "2-digit", day: "2-digit", timeZone });
  function local(moment) {
    const [then, today] = [dates.format(moment), dates.format(new Date())]; // as 2026-01-31
    if (then === today) return formats.today.format(moment);
    return (then.slice(0, 4) === today.slice(0, 4) ? formats.year : formats.other).format(moment);
  }
  function localise() {
    for (const one of document.querySelectorAll("time[datetime]")) one.textContent = local(new Date(one.dateTime));
  }
  window.yeji = { local, timeZone };

  // A live update keeps what the reader opened and what a script drew.
  const fields = new Set(["INPUT", "SELECT", "TEXTAREA"]);
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => {
    if (!(old instanceof Element)) return true;
    if (old === document.activeElement && fields.has(old.tagName)) return false;
    return !(old.hasAttribute("data-keep") || (old.tagName === "FORM" && "edited" in old.dataset));
  };
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(node.tagName === "DETAILS" && name === "open");
  // What was noted of an act stays for a while, however often the page updates itself meanwhile.
  const notes = document.getElementById("notes");
  let fading = 0;
  function lift() {
    const note = document.querySelector("#main > .note[role]:not(.once)");
    if (!note) return;
    note.removeAttribute("role");
    notes.replaceChildren(note);
    clearTimeout(fading);
    fading = setTimeout(() => notes.replaceChildren(), "refused" in note.dataset ? 20000 : 8000);
  }
  document.addEventListener("htmx:afterSwap", () => { localise(); lift(); });
  localise();
  lift();

  // A form that somebody has begun to fill in is left alone until it was sent and taken.
  document.addEventListener("input", (event) => {
    const form = event.target.closest?.("main form");
    if (form) form.dataset.edited = "";
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const form = event.detail.requestConfig?.elt;
    if (form?.tagName !== "FORM" || event.detail.serverResponse.includes("data-refused")) return;
    delete form.dataset.edited;
    form.reset();
    for (let one = form.closest("details"); one; one = one.parentElement?.closest("details")) one.open = false;
  });

  // What is shown once can be copied.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (!button) return;
    const shown = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(shown.textContent);
      button.textContent = button.dataset.copied;
    } catch {
      getSelection().selectAllChildren(shown); // no clipboard here (plain http): it is marked, ready to copy
    }
  });

  // A session that ended takes nothing along that somebody is writing: sending it asks them to sign in again.
  document.addEventListener("signed-out", () => {
    if (document.querySelector("main form[data-edited]")) return;
    location.assign("/sign-in?" + new URLSearchParams({ back: location.pathname + location.search }));
  });

  // One event stream a page in view; a page that nobody sees asks for nothing.
  const live = document.getElementById("live");
  const lost = document.getElementById("lost");
  let source = null;
  let waiting = false;
  function refresh() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      document.body.dispatchEvent(new CustomEvent("changed"));
    });
  }
  function connected(yes) {
    live.textContent = yes ? live.dataset.live : "";
    lost.hidden = yes;
  }
  function listen() {
    if (!live || source || document.hidden) return;
    // What the page shows is told: whatever happened since then is news, also after a break.
    const seen = document.getElementById("main").dataset.seen;
    source = new EventSource("/live?" + new URLSearchParams({ seen }));
    source.addEventListener("open", () => connected(true));
    source.addEventListener("changed", refresh);
    source.addEventListener("error", () => {
      connected(false);
      if (source.readyState === EventSource.CLOSED) {
        source = null;
        setTimeout(listen, 5000);
      }
    });
  }
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      source?.close();
      source = null;
    } else {
      listen();
    }
  });
  window.addEventListener("pagehide", () => { source?.close(); source = null; });
  window.addEventListener("pageshow", listen);
  listen();
})();
