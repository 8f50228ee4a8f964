// Asks the browser for a push subscription when its form is sent, and gives it to the desk.
"use strict";
(() => {
  const box = document.getElementById("push");
  const state = document.getElementById("push-state");
  if (!box || !("serviceWorker" in navigator) || !("PushManager" in window)) return;
  const tell = box.querySelector("form.tell");
  const quiet = box.querySelector("form.quiet");
  const [go, end] = [tell.querySelector("button"), quiet.querySelector("button")];
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
  const text = (key) => btoa(String.fromCharCode(...new Uint8Array(key))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

  state.textContent = "";
  go.disabled = false;
  navigator.serviceWorker.ready.then((worker) => worker.pushManager.getSubscription()).then((known) => {
    end.hidden = !known;
    if (known) quiet.elements.endpoint.value = known.endpoint;
  });
  tell.addEventListener("click", async (event) => {
    if (event.target !== go || tell.elements.endpoint.value) return;
    event.preventDefault();
    try {
      const worker = await navigator.serviceWorker.ready;
      const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(box.dataset.key) });
      tell.elements.endpoint.value = made.endpoint;
      tell.elements.p256dh.value = text(made.getKey("p256dh"));
      tell.elements.auth.value = text(made.getKey("auth"));
    } catch {
      state.textContent = Notification.permission === "denied" ? box.dataset.denied : box.dataset.cannot;
      return;
    }
    tell.requestSubmit(go);
  });
  quiet.addEventListener("submit", async () => {
    const worker = await navigator.serviceWorker.ready;
    await (await worker.pushManager.getSubscription())?.unsubscribe();
  });
})();
