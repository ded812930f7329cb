"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  // A page from the browser's memory shows what was, not what is.
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  if (!main) return;

  const byId = (id) => document.getElementById(id);
  const say = (text) => (byId("announcement").textContent = text);
  const put = (id, text) => byId(id) && (byId(id).textContent = text);
  const approve = document.querySelector("button.approve");
  let deciding = false;
  let expired = false;

  // A button that appears under a moving finger must not be pressed by it.
  if (approve) {
    approve.disabled = true;
    setTimeout(() => (approve.disabled = expired), 500);
  }
  for (const form of document.forms) {
    form.addEventListener("submit", () => {
      const button = form.querySelector("button:not([hidden])");
      // After the browser has collected the form's fields.
      setTimeout(() => {
        button.textContent = form.id === "approve" ? "Sending…" : "Rejecting…";
        for (const each of document.querySelectorAll("button")) each.disabled = true;
      });
      deciding = true;
    });
  }

  // The countdown runs on the server's seconds; the clocks here only count. Whichever ran further is right: one of
  // them stands still while a machine sleeps.
  let left, wall, steady;
  const set = (seconds) => {
    left = seconds;
    wall = Date.now();
    steady = performance.now();
  };
  const remaining = () => left - Math.max(Date.now() - wall, performance.now() - steady) / 1000;
  const announcements = [60, 30, 10];
  const tick = () => {
    const seconds = Math.max(0, Math.floor(remaining()));
    put("countdown", Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0"));
    byId("countdown").classList.toggle("soon", seconds <= 20);
    while (announcements.length && seconds <= announcements[0]) {
      const mark = announcements.shift();
      if (seconds > mark - 5) say("Expires in " + mark + " seconds");
    }
    if (remaining() > 0) return setTimeout(tick, 250);
    expired = true;
    if (approve) approve.disabled = true;
    const pin = byId("pin");
    if (pin) pin.disabled = true;
    main.classList.add("expired");
    put("countdown", "Expired");
    say("Expired. Nothing was sent.");
  };
  if (main.dataset.left !== undefined) {
    set(Number(main.dataset.left));
    while (announcements.length && left <= announcements[0]) announcements.shift();
    tick();
  }

  const showBook = (book) => {
    put("book-at", book.at);
    put("book-reason", book.note || "");
    byId("book-note").hidden = book.note === null;
    byId("book-prices").hidden = book.note !== null;
    put("book-bid", book.bid || "none");
    put("book-ask", book.ask || "none");
    byId("book-distances").replaceChildren(
      ...book.distances.map(([what, where]) => {
        const item = document.createElement("li");
        const name = document.createElement("span");
        const value = document.createElement("b");
        name.textContent = what + ": ";
        value.textContent = where;
        item.append(name, value);
        return item;
      }),
    );
  };

  const ask = async () => {
    if (deciding) return;
    if (!document.hidden) {
      try {
        const answer = await fetch(main.dataset.live, { cache: "no-store" });
        if (answer.ok && !deciding) {
          const found = await answer.json();
          byId("lost").hidden = true;
          if (main.dataset.version !== undefined && found.version !== main.dataset.version) return location.reload();
          if (main.dataset.state !== undefined && found.state !== main.dataset.state) return location.reload();
          if (found.book) showBook(found.book);
          if (found.left !== undefined && left !== undefined && !expired) set(found.left);
        }
      } catch {
        if (!deciding) byId("lost").hidden = false;
      }
    }
    setTimeout(ask, 3000);
  };
  setTimeout(ask, 3000);
})();
