// Records a voice note into a form's file field; where the browser cannot, the button stays hidden.
"use strict";
(() => {
  const LONGEST = 120000; // ms
  if (!navigator.mediaDevices?.getUserMedia || !window.MediaRecorder) return;
  function ready() {
    for (const button of document.querySelectorAll("button.record")) button.hidden = false;
  }
  let recorder = null;
  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("button.record");
    if (!button) return;
    if (recorder) {
      recorder.stop();
      return;
    }
    const words = button.textContent;
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch {
      button.hidden = true; // not allowed: a file can still be chosen
      return;
    }
    const form = button.closest("form");
    form.dataset.edited = "";
    const parts = [];
    recorder = new MediaRecorder(stream, { audioBitsPerSecond: 48000 });
    recorder.addEventListener("dataavailable", (one) => parts.push(one.data));
    recorder.addEventListener("stop", () => {
      for (const track of stream.getTracks()) track.stop();
      const type = recorder.mimeType.split(";")[0];
      recorder = null;
      const files = new DataTransfer();
      files.items.add(new File(parts, "voice", { type }));
      form.querySelector('input[type="file"]').files = files.files;
      button.setAttribute("aria-pressed", "false");
      button.textContent = `${words}: ${button.dataset.done}`;
    });
    recorder.start();
    button.setAttribute("aria-pressed", "true");
    button.textContent = button.dataset.stop;
    setTimeout(() => recorder?.stop(), LONGEST);
  });
  document.addEventListener("htmx:afterSwap", ready);
  ready();
})();
