"use strict";
(() => {
  // Countdowns show only where they count, and the still clock only where they do not.
  document.documentElement.classList.add("js");
  const byId = (id) => document.getElementById(id);
  const put = (id, text) => byId(id) && (byId(id).textContent = text);
  const two = (number) => String(number).padStart(2, "0");

  // The reader's own time beside each UTC; nothing where both are the same.
  const hour = (at) => [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(":") + " your time";
  const isOther = (at) => !Number.isNaN(at.getTime()) && at.getTimezoneOffset() !== 0;
  const yours = (at) => {
    if (!isOther(at)) return "";
    const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-") + " ";
    return (at.getDate() === at.getUTCDate() ? "" : day) + hour(at);
  };
  const beside = (element, text) => {
    const local = document.createElement("span");
    local.className = "local";
    local.textContent = text;
    local.hidden = !text;
    element.after(" ", local);
    return local;
  };
  for (const element of document.querySelectorAll("time")) beside(element, yours(new Date(element.dateTime)));
  const bookAt = byId("book-at");
  const bookLocal = bookAt && beside(bookAt, "");
  const bookClock = (text, moment) => {
    const at = new Date(moment);
    bookAt.textContent = text;
    bookLocal.textContent = isOther(at) ? hour(at) : "";
    bookLocal.hidden = !bookLocal.textContent;
  };
  if (bookAt) bookClock(bookAt.textContent, bookAt.dataset.at);

  // Enter in the PIN's field goes on to the button, which says what it does; a second Enter presses it. So nobody
  // decides by ending a line that was meant for another window.
  const pin = byId("pin");
  if (pin) {
    pin.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      const next = pin.form.querySelector("button:not([hidden]):not(:disabled)");
      if (pin.reportValidity() && next) next.focus();
    });
    // Ready to be typed into, without a jump past the order. Where a finger types, the keyboard would hide the order.
    const typed = matchMedia("(hover: hover) and (pointer: fine)").matches;
    if (typed && (pin.dataset.first !== undefined || byId("pin-problem"))) pin.focus({ preventScroll: true });
  }

  const main = document.querySelector("main[data-live]");
  // Never `reload`: that would send a form anew whose answer this page may be.
  const again = () => location.replace(main.dataset.live.replace(/\/live$/, "") || "/");
  // A page from the browser's memory shows what was, not what is.
  addEventListener("pageshow", (event) => event.persisted && (main ? again() : location.reload()));
  if (!main) return;

  const say = (text) => (byId("announcement").textContent = text);
  const approves = document.querySelectorAll("button.approve");
  const reject = document.querySelector("button.reject");
  let armed = false;
  let deciding = false;
  let expired = false;
  let lost = false;
  const enable = () => {
    for (const approve of approves) approve.disabled = deciding || lost || expired || !armed;
    if (reject) reject.disabled = deciding || lost;
  };

  // A button that appears under a moving finger must not be pressed by it.
  enable();
  setTimeout(() => {
    armed = true;
    enable();
  }, 500);
  for (const form of document.forms) {
    form.addEventListener("submit", (event) => {
      deciding = true;
      const pressed = event.submitter || form.querySelector("button:not([hidden])");
      // After the browser has collected the form's fields.
      setTimeout(() => {
        pressed.textContent = pressed.dataset.busy || "One moment…";
        enable();
      });
    });
  }

  // A countdown runs on the server's seconds; the clocks here only count. Whichever ran further is right: one of
  // them stands still while a machine sleeps.
  const from = (seconds) => {
    const wall = Date.now();
    const steady = performance.now();
    return () => seconds - Math.max(Date.now() - wall, performance.now() - steady) / 1000;
  };
  const minutes = (seconds) => Math.floor(seconds / 60) + ":" + two(seconds % 60);
  let remaining = null;
  const announcements = [60, 30, 10];
  const tick = () => {
    const seconds = Math.max(0, Math.floor(remaining()));
    put("countdown", minutes(seconds));
    byId("countdown").classList.toggle("soon", seconds <= 20);
    while (announcements.length && seconds <= announcements[0]) {
      const mark = announcements.shift();
      if (seconds > mark - 5) say("Expires in " + mark + " seconds");
    }
    if (remaining() > 0) return setTimeout(tick, 250);
    expired = true;
    enable();
    if (pin) pin.disabled = true;
    main.classList.add("expired");
    put("countdown", "Expired");
    say("Expired. It can no longer be approved.");
  };
  if (main.dataset.left !== undefined) {
    const left = Number(main.dataset.left);
    remaining = from(left);
    while (announcements.length && left <= announcements[0]) announcements.shift();
    tick();
  }
  for (const item of document.querySelectorAll("li [data-left]")) {
    const itsOwn = from(Number(item.dataset.left));
    setInterval(() => {
      const seconds = Math.floor(itsOwn());
      item.textContent = seconds > 0 ? "expires in " + minutes(seconds) : "expired";
    }, 1000);
  }

  // A drawing comes as a tree, and not as text: nothing on this page makes elements from text.
  const shape = ([name, attributes, inside]) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    element.append(...(typeof inside === "string" ? [inside] : inside.map(shape)));
    return element;
  };

  const showBook = (book) => {
    bookClock(book.at, book.moment);
    put("book-reason", book.note || "");
    byId("book-note").hidden = book.note === null;
    byId("book-prices").hidden = book.note !== null;
    put("book-bid", book.bid || "none");
    put("book-ask", book.ask || "none");
    byId("book-figure").replaceChildren(...(book.figure ? [shape(book.figure)] : []));
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

  // What becomes of an order that is followed, in the place where the page says what became of it.
  let follows = true;
  const showOutcome = ({ tone, title, lines }) => {
    const box = document.querySelector(".outcome");
    const said = [title, ...lines].join("\n");
    if (!box || box.dataset.said === said) return;
    box.dataset.said = said;
    box.className = "outcome " + tone;
    put("outcome", title);
    byId("outcome-lines").replaceChildren(
      ...lines.map((line) => {
        const row = document.createElement("p");
        row.textContent = line;
        return row;
      }),
    );
  };

  // Where a PIN is being typed, the front page waits: it would be lost.
  const typing = () => main.dataset.live === "/live" && document.activeElement && document.activeElement.matches("input");
  let leaving = false;
  const leave = () => {
    leaving = true;
    again();
  };
  const look = async () => {
    if (deciding || leaving || !follows) return;
    try {
      const answer = await fetch(main.dataset.live, { cache: "no-store" });
      if (answer.ok && !deciding && !leaving) {
        const found = await answer.json();
        // Whoever answers again may be another process, which does not know the forms of the one before.
        if (lost) return leave();
        if (main.dataset.state !== undefined && found.state !== main.dataset.state) return leave();
        if (main.dataset.version !== undefined && found.version !== main.dataset.version && !typing()) return leave();
        if (found.book) showBook(found.book);
        if (found.outcome) {
          showOutcome(found.outcome);
          follows = found.follows;
        }
        if (found.left !== undefined && remaining && !expired) remaining = from(found.left);
      }
    } catch {
      lost = !deciding && !leaving;
      byId("lost").hidden = !lost;
      enable();
    }
  };
  const begun = performance.now();
  // As often as the order itself is looked at: every few seconds while it is young.
  const pause = () => (main.dataset.followed === undefined || performance.now() - begun < 120_000 ? 3000 : 60_000);
  const ask = async () => {
    if (!document.hidden) await look();
    if (!leaving && follows) setTimeout(ask, pause());
  };
  setTimeout(ask, 3000);
  // A tab in the background asks when the stream told of something (`events.js`), and when it is looked at again.
  document.addEventListener("gunbot-mcp-news", look);
  document.addEventListener("visibilitychange", () => document.hidden || look());
})();
