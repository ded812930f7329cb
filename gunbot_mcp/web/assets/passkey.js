"use strict";
(() => {
  // Touches: of a passkey that approves, that is made, or that signs in. Without a script there are none.
  const able = window.PublicKeyCredential !== undefined && PublicKeyCredential.parseRequestOptionsFromJSON !== undefined;
  const byId = (id) => document.getElementById(id);
  const tell = (text, where = byId("passkey-problem")) => {
    if (!where) return;
    where.textContent = text;
    where.hidden = !text;
  };
  // What is wrong with a field stands beside it, and that is where the human goes on.
  const described = (field, ids) =>
    ids.length ? field.setAttribute("aria-describedby", ids.join(" ")) : field.removeAttribute("aria-describedby");
  const right = (field) => {
    const note = byId(field.name + "-problem");
    if (!note) return;
    note.remove();
    field.removeAttribute("aria-invalid");
    described(field, field.getAttribute("aria-describedby").split(" ").filter((id) => id !== note.id));
  };
  const wrong = (field, text) => {
    right(field);
    const note = document.createElement("p");
    Object.assign(note, { id: field.name + "-problem", className: "problem", textContent: text });
    note.setAttribute("role", "alert");
    field.after(note);
    field.setAttribute("aria-invalid", "true");
    described(field, [note.id, ...(field.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean)]);
  };
  const why = (error) =>
    error.name === "NotAllowedError" ? "The passkey was not touched, or not in time. Nothing was decided." : error.message;

  const get = async (options) =>
    JSON.stringify(
      (await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options) })).toJSON(),
    );
  const make = async (options) =>
    JSON.stringify(
      (await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })).toJSON(),
    );
  const send = async (path, fields) => {
    const answer = await fetch(path, { method: "POST", body: new URLSearchParams(fields), cache: "no-store" });
    const found = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(found.message), { field: found.field });
    return found;
  };
  const doing = async (button, work, form = null, where = undefined) => {
    tell("", where);
    for (const field of form?.querySelectorAll("[aria-invalid]") ?? []) right(field);
    button.disabled = true;
    try {
      if (!able) throw new Error("This browser knows no passkeys here. Open the page at its own address.");
      await work();
    } catch (error) {
      button.disabled = false;
      const field = error.field && form?.elements[error.field];
      if (!field) return tell(why(error), where);
      wrong(field, why(error));
      field.focus();
    }
  };

  for (const button of document.querySelectorAll("button[data-touch]")) {
    button.addEventListener("click", () =>
      doing(button, async () => {
        button.form.elements.touch.value = await get(JSON.parse(button.dataset.touch));
        button.form.requestSubmit();
      }),
    );
  }

  // A notice's link ends in #touch. Not after a reload, nor in a tab that nobody looks at; the order is seen first.
  const soon = document.querySelector("button[data-at-once]");
  if (soon && location.hash === "#touch" && performance.getEntriesByType("navigation")[0]?.type === "navigate")
    setTimeout(() => document.hasFocus() && soon.click(), 700);

  const register = byId("register");
  // What the browser finds wrong, in its own words, stands where the server's words would.
  register?.addEventListener(
    "invalid",
    (event) => {
      event.preventDefault();
      wrong(event.target, event.target.validationMessage);
      if (register.querySelector(":invalid") === event.target) event.target.focus();
    },
    true,
  );
  register?.addEventListener("input", (event) => event.target.validity.valid && right(event.target));
  register?.addEventListener("submit", (event) => {
    event.preventDefault();
    const work = async () => {
      const given = Object.fromEntries(new FormData(register));
      const begun = await send("/passkeys/begin", given);
      const same = { ceremony: begun.ceremony, ...(given.token && { token: given.token }) };
      let found = await send("/passkeys/made", { ...same, made: await make(begun.options) });
      if (found.options) found = await send("/passkeys/vouched", { ...same, touch: await get(found.options) });
      location.replace(found.next);
    };
    doing(register.querySelector("button"), work, register, byId("register-problem"));
  });

  // The whole address: a path that begins with two slashes would, by itself, be another site's.
  const again = () => location.replace(location.href.split("#")[0]);
  // Another site's link led here, so the browser kept the session's cookie back. It sends it when our own page asks.
  if (document.body.dataset.again !== undefined) again();

  const enter = byId("sign-in");
  enter?.addEventListener("click", () =>
    doing(enter, async () => {
      const begun = await send("/sign-in/begin", {});
      await send("/sign-in", { ceremony: begun.ceremony, touch: await get(begun.options) });
      again();
    }),
  );
})();
