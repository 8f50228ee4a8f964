// Passkeys: the browser asks its key, the answer goes to the desk. Without script or key nothing of it shows.
"use strict";
(() => {
  if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) return;

  async function ask(back) {
    const asked = await fetch("/sign-in/passkey/ask", { method: "POST" });
    if (!asked.ok) throw new Error();
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(await asked.json());
    const key = await navigator.credentials.get({ publicKey });
    const answer = await fetch("/sign-in/passkey?" + new URLSearchParams({ back }), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(key.toJSON()),
    });
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.wrong);
    return said;
  }

  function wrong(place, error) {
    if (error?.name === "NotAllowedError") return; // they thought better of it
    let note = place.parentElement.querySelector(".note.refused");
    if (!note) {
      note = document.createElement("p");
      note.className = "note refused";
      note.setAttribute("role", "alert");
      place.before(note);
    }
    note.textContent = error?.message || place.dataset.wrong;
  }

  // A form that was kept goes on by itself once its writer is known again.
  function send(form, csrf) {
    const fields = new FormData(form);
    const again = document.createElement("form");
    again.method = "post";
    again.action = fields.get("kept.action");
    for (const [name, value] of fields) {
      if (name.startsWith("kept.field.")) again.append(hidden(name.slice("kept.field.".length), value));
    }
    again.append(hidden("csrf", csrf));
    document.body.append(again);
    again.submit();
  }
  function hidden(name, value) {
    const one = document.createElement("input");
    one.type = "hidden";
    one.name = name;
    one.value = value;
    return one;
  }

  for (const place of document.querySelectorAll("[data-passkey=sign-in], [data-passkey=prove]")) {
    place.hidden = false;
    place.querySelector("button").addEventListener("click", async () => {
      try {
        const said = await ask(place.dataset.back || "/");
        const form = document.getElementById(place.dataset.passkey);
        if (form?.elements["kept.action"]) send(form, said.csrf);
        else location.assign(said.to || "/");
      } catch (error) {
        wrong(place, error);
      }
    });
  }

  for (const form of document.querySelectorAll("[data-passkey=make]")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        const options = PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(form.dataset.options));
        const key = await navigator.credentials.create({ publicKey: options });
        form.elements.answer.value = JSON.stringify(key.toJSON());
        form.submit();
      } catch (error) {
        wrong(form, error?.name === "NotAllowedError" ? error : undefined);
      }
    });
  }
})();
