// The wall screen: a sound for each new urgent alarm that waits, once somebody has switched it on.
"use strict";
(() => {
  const button = document.getElementById("sound");
  let known = null;
  let audio = null;

  function beep() {
    if (!audio) return;
    for (const [start, pitch] of [[0, 880], [0.25, 660], [0.5, 880]]) {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(0.0001, audio.currentTime + start);
      volume.gain.exponentialRampToValueAtTime(0.5, audio.currentTime + start + 0.02);
      volume.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + start + 0.22);
      tone.connect(volume).connect(audio.destination);
      tone.start(audio.currentTime + start);
      tone.stop(audio.currentTime + start + 0.23);
    }
    document.body.dataset.rang = String(Number(document.body.dataset.rang || 0) + 1);
  }
  function look() {
    const now = new Set((document.getElementById("wall")?.dataset.urgent || "").split(" ").filter(Boolean));
    if (known && [...now].some((id) => !known.has(id))) beep();
    known = now;
  }
  button?.addEventListener("click", () => {
    audio = new AudioContext();
    button.setAttribute("aria-pressed", "true");
    button.textContent = button.dataset.on;
    beep();
  });
  document.addEventListener("htmx:afterSwap", look);
  look();
})();
