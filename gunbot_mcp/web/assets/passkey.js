"use strict";
(() => {
  // Touches: of a passkey that approves, that is made, or that signs in. Without a script there are none.
  const able = window.PublicKeyCredential !== undefined && PublicKeyCredential.parseRequestOptionsFromJSON !== undefined;
  const problem = document.getElementById("passkey-problem");
  const tell = (text) => {
    if (!problem) return;
    problem.textContent = text;
    problem.hidden = !text;
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
    if (!answer.ok) throw new Error(found.message);
    return found;
  };
  const doing = async (button, work) => {
    tell("");
    button.disabled = true;
    try {
      if (!able) throw new Error("This browser knows no passkeys here. Open the page at its own address.");
      await work();
    } catch (error) {
      tell(why(error));
      button.disabled = false;
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

  const register = document.getElementById("register");
  register?.addEventListener("submit", (event) => {
    event.preventDefault();
    doing(register.querySelector("button"), async () => {
      const given = Object.fromEntries(new FormData(register));
      const begun = await send("/passkeys/begin", given);
      const same = { ceremony: begun.ceremony, ...(given.token && { token: given.token }) };
      let found = await send("/passkeys/made", { ...same, made: await make(begun.options) });
      if (found.options) found = await send("/passkeys/vouched", { ...same, touch: await get(found.options) });
      location.replace(found.next);
    });
  });

  const enter = document.getElementById("sign-in");
  enter?.addEventListener("click", () =>
    doing(enter, async () => {
      const begun = await send("/sign-in/begin", {});
      await send("/sign-in", { ceremony: begun.ceremony, touch: await get(begun.options) });
      location.replace(location.pathname);
    }),
  );
})();
