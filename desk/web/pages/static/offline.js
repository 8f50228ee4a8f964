// Acts without a network: kept on this device, told, and sent once when there is a network again.
"use strict";
(() => {
  const KEY = "yeji-waiting-acts";
  const OLDEST = 24 * 3600 * 1000; // what waited longer is told and not sent: others have seen to it
  const box = document.getElementById("waiting-acts");
  if (!box) return;
  const words = box.dataset;

  const read = () => JSON.parse(localStorage.getItem(KEY) || "[]");
  function write(acts) {
    localStorage.setItem(KEY, JSON.stringify(acts));
    show();
  }
  function newId() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (one) => one.toString(16).padStart(2, "0")).join("");
  }
  function say(text, refused) {
    const note = document.createElement("p");
    note.className = refused ? "note refused" : "note";
    note.textContent = text;
    document.getElementById("notes").replaceChildren(note);
  }
  function show() {
    const count = read().filter((one) => one.who === words.who).length;
    box.hidden = !count;
    box.querySelector("span").textContent = words.count.replace("{n}", count);
  }

  // Each act has an id from its first try on: an answer that was lost on its way does not do it twice.
  document.addEventListener("htmx:configRequest", (event) => {
    const form = event.detail.elt;
    if (form?.tagName !== "FORM" || !("offline" in form.dataset)) return;
    form.dataset.client ||= newId();
    event.detail.parameters.set ? event.detail.parameters.set("client", form.dataset.client) : (event.detail.parameters.client = form.dataset.client);
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) delete event.detail.elt?.dataset?.client;
  });
  function keep(event) {
    const form = event.detail.elt;
    if (form?.tagName !== "FORM" || !("offline" in form.dataset)) return;
    const fields = Object.fromEntries([...new FormData(form)].filter(([name]) => name !== "csrf"));
    const client = form.dataset.client || newId();
    delete form.dataset.client;
    delete form.dataset.edited;
    form.reset();
    const waiting = read().filter((one) => one.client !== client);
    write([...waiting, { client, who: words.who, path: form.getAttribute("action"), fields, at: Date.now(), label: form.dataset.offline }]);
    say(words.kept);
  }
  document.addEventListener("htmx:sendError", keep);
  document.addEventListener("htmx:timeout", keep);

  let sending = false;
  async function send() {
    if (sending || !navigator.onLine) return;
    sending = true;
    try {
      for (const act of read().filter((one) => one.who === words.who)) {
        if (Date.now() - act.at > OLDEST) {
          write(read().filter((one) => one.client !== act.client));
          say(`${act.label}: ${words.old}`, true);
          continue;
        }
        const csrf = document.querySelector('input[name="csrf"]')?.value;
        if (!csrf) return;
        const body = new URLSearchParams({ ...act.fields, csrf, client: act.client, at: String(act.at) });
        let answer;
        try {
          answer = await fetch(act.path, { method: "POST", body, credentials: "same-origin" });
        } catch {
          return; // still no network: it goes on waiting
        }
        // 403: this page's token is an older session's; the next page has a new one.
        if (answer.status === 403 || new URL(answer.url).pathname.startsWith("/sign-in")) {
          say(words.signIn, true);
          return;
        }
        if (answer.status >= 500) return;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const note = page.querySelector("#main > .note");
        const refused = !answer.ok || note?.hasAttribute("data-refused");
        write(read().filter((one) => one.client !== act.client));
        say(`${act.label}: ${refused ? note?.textContent.trim() || words.refused : words.sent}`, refused);
        document.body.dispatchEvent(new CustomEvent("changed"));
      }
    } finally {
      sending = false;
    }
  }
  // Signing out removes all that this device keeps of the desk: what waits is not dropped unsaid.
  let warned = false;
  document.addEventListener("submit", (event) => {
    if (event.target.getAttribute("action") !== "/sign-out" || warned) return;
    if (!read().some((one) => one.who === words.who)) return;
    event.preventDefault();
    warned = true;
    say(words.leave, true);
  });
  window.addEventListener("online", send);
  window.addEventListener("pageshow", send);
  setInterval(() => { if (read().length) send(); }, 15000);
  show();
  send();
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/sw.js").catch(() => {});
})();
