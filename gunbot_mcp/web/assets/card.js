"use strict";
(() => {
  const META = "gunbot-mcp/ticket";
  const REFUSAL = "gunbot-mcp/refusal";
  const PAGE = /^http:\/\/(?:127\.0\.0\.1|localhost):\d{1,5}\/tickets\/[0-9A-Za-z_-]{1,40}$/;
  const OPEN = new Set(["pending", "approved", "sending"]);
  const TONES = new Set(["good", "calm", "bad", "unsure"]);
  const POLL_MS = 4000;
  const SLOW_MS = 60000;
  const MOST_POLLS = 60;
  const MOST_LATE = 30;
  const MOST_COMMAND = 1000;
  const UNPRINTABLE =
    /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]/g;

  const byId = (id) => document.getElementById(id);
  const clean = (text, limit = 400) => {
    const shown = String(text).replace(UNPRINTABLE, " ");
    return shown.length <= limit ? shown : shown.slice(0, limit - 1) + "…";
  };
  const put = (id, text, limit) => (byId(id).textContent = clean(text, limit));
  const show = (id, visible) => (byId(id).hidden = !visible);
  const lines = (id, texts) =>
    byId(id).replaceChildren(
      ...texts.map((text) => {
        const line = document.createElement(byId(id).tagName === "UL" ? "li" : "p");
        line.textContent = clean(text, 600);
        return line;
      }),
    );
  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

  // JSON-RPC with the host, which is whoever embeds this page.

  const pending = new Map();
  let lastId = 0;
  const post = (message) => window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  const notify = (method, params) => post({ method, params });
  const request = (method, params, seconds = 30) =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      const late = setTimeout(() => {
        pending.delete(id);
        reject(new Error("the client did not answer"));
      }, seconds * 1000);
      pending.set(id, { resolve, reject, late });
      post({ id, method, params });
    });
  const answered = (message) => {
    const waiting = pending.get(message.id);
    if (!waiting) return;
    pending.delete(message.id);
    clearTimeout(waiting.late);
    if (isObject(message.error)) waiting.reject(new Error(clean(message.error.message || "refused", 200)));
    else waiting.resolve(isObject(message.result) ? message.result : {});
  };

  addEventListener("message", (event) => {
    const message = event.data;
    if (event.source !== window.parent || !isObject(message) || message.jsonrpc !== "2.0") return;
    if (message.method === undefined) return answered(message);
    const params = isObject(message.params) ? message.params : {};
    if (message.id !== undefined) {
      if (message.method === "ui/resource-teardown") clearTimeout(timer);
      const known = message.method === "ping" || message.method === "ui/resource-teardown";
      const error = { code: -32601, message: "Method not found" };
      return post(known ? { id: message.id, result: {} } : { id: message.id, error });
    }
    if (message.method === "ui/notifications/tool-result") take(params, true);
    else if (message.method === "ui/notifications/tool-cancelled") cancelled();
    else if (message.method === "ui/notifications/host-context-changed") dress(params);
  });

  // What the ticket is, from whichever part of a result the host passed on.

  let card = null; // {ticket, headline, figure, outcome, quote, distances, page_url, command, buttons, key}

  // The text, for hosts that pass on nothing else: lines with labels, and the ticket's own line at the end.
  const OUTCOME = "Outcome: ";
  const WARNING = "Warning: ";
  const HOW = "To approve: ";
  const NEXT = "Next: "; // for the model alone
  const TICKET = /^Ticket ([0-9A-Za-z_-]{1,40}), (PAPER|LIVE) instance (.{1,80}), state ([a-z]+)$/;
  const STATUS = /^[a-z_]+: /;
  const INSTANT = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/;
  const labelled = (rows, label) => rows.filter((row) => row.startsWith(label)).map((row) => row.slice(label.length));

  // What is said between the first line with the status and the ticket's own line, without what the card shows apart.
  const toldIn = (rows) => {
    const at = Math.max(0, rows.findIndex((row) => STATUS.test(row)));
    return rows.slice(at + 1, -1).filter((row) => row && ![OUTCOME, WARNING, HOW].some((label) => row.startsWith(label)));
  };
  const outcomeFrom = (rows) => {
    const [title] = labelled(rows, OUTCOME);
    if (title === undefined) return null;
    const plain = toldIn(rows).filter((row) => !row.startsWith(NEXT));
    // The text has no tone; this one never looks better than things are.
    return { tone: "unsure", title, lines: plain };
  };
  const fromText = (rows) => {
    const last = TICKET.exec(rows.at(-1));
    if (!last) return null;
    const at = Math.max(0, rows.findIndex((row) => STATUS.test(row)));
    const [status, ...summary] = rows[at].split(": ");
    const until = INSTANT.exec(rows[at + 1]);
    const [how = ""] = labelled(rows, HOW);
    const ticket = {
      id: last[1],
      kind: last[2],
      instance: last[3],
      state: last[4],
      summary: summary.length ? summary.join(": ") : status,
      expires_at: until && last[4] === "pending" ? until[0] : null,
      warnings: labelled(rows, WARNING),
    };
    const [, command] = /`([^`]+)`/.exec(how) ?? [];
    return { ticket, page_url: how.split(" ").find((word) => PAGE.test(word)), command };
  };

  const titled = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.…?]$/.test(text) ? "" : ".");
  const refused = (meta, rows) => {
    const known = isObject(meta) ? meta[REFUSAL] : undefined;
    if (isObject(known)) {
      const steps = known.command ? ["Run " + known.command + " in a terminal."] : [];
      return fail([...(Array.isArray(known.lines) ? known.lines : []), ...steps], known.title);
    }
    // The text speaks to the model: its code and its next step are left out.
    const told = rows.filter((row) => row && !row.startsWith(NEXT)).map((row) => titled(row.replace(STATUS, "")));
    fail(told.length ? told : ["The server answered with an error."], "It was refused");
  };

  const take = (result, fromHost = false) => {
    const blocks = Array.isArray(result.content) ? result.content : [];
    const text = blocks
      .filter((block) => isObject(block) && block.type === "text")
      .map((block) => String(block.text))
      .join("\n");
    const meta = isObject(result._meta) ? result._meta[META] : undefined;
    const structured = isObject(result.structuredContent) ? result.structuredContent : {};
    const rows = text.split("\n");
    let found = isObject(meta) && isObject(meta.ticket) ? meta : null;
    if (!found && isObject(structured.ticket)) {
      const { page, command } = isObject(structured.approve) ? structured.approve : {};
      found = { ticket: structured.ticket, page_url: page, command };
    }
    if (!found && !result.isError) found = fromText(rows);
    if (!found) {
      const told = rows.filter(Boolean);
      if (result.isError) refused(result._meta, rows);
      else if (!card) tell(told.length ? told : ["The answer holds no ticket."]);
      return;
    }
    // Only the first answer about a ticket carries what deciding needs; later ones carry what became of it.
    const before = card && card.ticket.id === found.ticket.id ? card : {};
    const kept = Object.entries(found).filter(([, value]) => value !== null && value !== undefined && value !== false);
    const ticket = { ...before.ticket, ...found.ticket };
    card = { ...before, ...Object.fromEntries(kept), ticket };
    // What became of it is told anew by every answer.
    card.outcome = isObject(found.outcome) ? found.outcome : outcomeFrom(rows);
    card.follows = typeof found.follows === "boolean" ? found.follows : ticket.state === "accepted";
    card.told = typeof found.told === "string" ? found.told : newsFrom(rows);
    if (ticket.state === "pending") waited = true;
    show("failure", false);
    draw();
    // The model was given what the host passes on.
    if (fromHost) known = newsKey();
    tellClient();
    // An old conversation shows an old answer; the desk knows better.
    if (fromHost && changes()) refresh();
  };

  const newsFrom = (rows) => toldIn(rows).map((row) => (row.startsWith(NEXT) ? row.slice(NEXT.length) : row)).join(" ");
  const changes = () => card !== null && (OPEN.has(card.ticket.state) || card.follows);

  // The assistant does not see what happens on the card: it is told of the decision, and of the fill.
  let takes = {}; // what the host says that it takes
  let known = null; // what the model knows already
  let waited = false; // whether this card saw the ticket wait
  let spoken = false;
  const newsKey = () => [card.ticket.id, card.ticket.state, card.outcome ? card.outcome.title : ""].join("\n");
  const tellClient = () => {
    const { ticket, told } = card;
    if (OPEN.has(ticket.state) || newsKey() === known) return;
    known = newsKey();
    const kind = (ticket.kind || "") + " instance " + (ticket.instance || "");
    const words = ["Ticket " + ticket.id + ", " + kind + ", is " + ticket.state + ": " + ticket.summary, told];
    const text = words.filter(Boolean).map((word) => clean(word, 1200)).join("\n");
    request("ui/update-model-context", { content: [{ type: "text", text }] }).catch(() => {});
    // A message starts a turn of the assistant: once, after a human's decision, and not because time went by.
    if (!isObject(takes.message) || spoken || !waited || !human || ticket.state === "expired") return;
    spoken = true;
    const content = [{ type: "text", text: "I decided on the ticket card.\n" + text }];
    request("ui/message", { role: "user", content }).catch(() => {});
  };

  // Drawing. Text only ever goes in as text.

  const draw = () => {
    const { ticket, figure, quote, distances } = card;
    const live = ticket.kind !== "PAPER";
    const waits = ticket.state === "pending";
    document.body.classList.toggle("live", live);
    show("waiting", false);
    show("band", true);
    put("kind", live ? "LIVE" : "PAPER");
    put("money", live ? "Real money" : "Practice money");
    put("instance", ticket.instance || "", 60);
    show("summary", true);
    show("untitled", false);
    headline(ticket.summary || "");
    show("figures", waits);
    show("worst", isObject(figure));
    if (isObject(figure)) {
      put("worst-word", figure.word, 40);
      put("worst-case", figure.amount, 60);
      put("worst-note", figure.note, 120);
    }
    const warnings = Array.isArray(ticket.warnings) ? ticket.warnings.slice(0, 10) : [];
    lines("warnings", warnings.map((warning) => WARNING + warning));
    show("warnings", warnings.length > 0);
    const drawn = figureOf(card.ladder);
    byId("ladder").replaceChildren(...(drawn ? [drawn] : []));
    show("ladder", waits && drawn !== null);
    show("quote", waits && isObject(quote) && drawn === null);
    if (isObject(quote)) {
      put("quote", "When proposed: bid " + quote.bid + ", ask " + quote.ask);
    }
    const far = Array.isArray(distances) ? distances.filter(Array.isArray).slice(0, 8) : [];
    lines("distances", far.map(([what, where]) => what + ": " + where));
    // In words for whoever does not see the drawing, which says them too.
    show("distances", waits && far.length > 0);
    byId("distances").classList.toggle("unseen", drawn !== null);
    show("origin", true);
    put("ticket-id", ticket.id, 40);
    put("client", ticket.proposed_by || "an MCP client", 80);
    if (!waits) show("told", false);
    drawDecision(ticket, live, waits);
    drawOutcome(waits);
    schedule();
    count();
  };

  // A drawing of the server's own comes as a tree of shapes and texts; anything else in it, and there is none.
  const SHAPES = new Set(["svg", "g", "path", "rect", "text"]);
  const ATTRIBUTE = /^(?!on)[a-zA-Z-]{1,20}$/;
  const shape = ([name, attributes, inside]) => {
    if (!SHAPES.has(name)) throw new Error("not a shape");
    const element = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) if (ATTRIBUTE.test(key)) element.setAttribute(key, value);
    element.append(...(typeof inside === "string" ? [clean(inside)] : inside.map(shape)));
    return element;
  };
  const figureOf = (tree) => {
    try {
      const found = shape(tree);
      found.setAttribute("aria-hidden", "true");
      return found;
    } catch {
      return null;
    }
  };

  // The whole summary; what the figures say too is set smaller.
  const headline = (summary) => {
    const { what, worth } = isObject(card.headline) ? card.headline : {};
    const apart = typeof worth === "string" && what + worth === summary;
    const small = document.createElement("small");
    // Not one word of it is cut off: two orders could read the same.
    small.textContent = apart ? clean(worth, 1200) : "";
    byId("summary").replaceChildren(clean(apart ? what : summary, 1200), small);
  };

  const clock = (instant) => instant.toISOString().slice(11, 19) + " UTC";

  // What the two buttons are called; a client that passes on nothing but text gets no buttons.
  const words = () => (isObject(card.words) ? card.words : { approve: "Approve", approving: "Approve…", reject: "Reject", rejecting: "Reject…" });
  const drawDecision = (ticket, live, waits) => {
    const page = typeof card.page_url === "string" && PAGE.test(card.page_url) ? card.page_url : null;
    const buttons = card.buttons === true && typeof card.key === "string";
    show("decision", waits);
    show("approve", buttons);
    show("reject", buttons);
    show("open", page !== null);
    byId("open").className = buttons ? "plain" : "approve";
    put("approve", words().approve);
    put("reject", words().reject);
    // Buttons and a page are ways enough; a terminal is for where one of them is missing.
    show("how", !(page && buttons));
    const only = !(page || buttons);
    put("how-title", only ? "To approve, run this in a terminal" : "Or approve in a terminal");
    if (only) byId("how").open = true;
    byId("command").textContent = commandFor(clean(ticket.id, 40));
  };

  // The command as the server says it, whole: cut short, or without its folder, it would look for the ticket elsewhere.
  const commandFor = (id) => {
    const named = typeof card.command === "string" ? card.command : "";
    const ours = named.length <= MOST_COMMAND && (named + " ").includes(" approve " + id + " ");
    return ours && clean(named, MOST_COMMAND) === named ? named : "gunbot-mcp approve " + id;
  };

  const drawOutcome = (waits) => {
    const late = { tone: "calm", title: "The time to decide is over", lines: [misses ? UNASKED : "Asking what became of it…"] };
    const told = waits ? late : card.outcome || { tone: "unsure", title: card.ticket.state };
    const { tone, title, lines: rows, lead, command } = told;
    byId("outcome").className = "outcome " + (TONES.has(tone) ? tone : "unsure");
    put("outcome-title", title);
    lines("outcome-lines", [...(Array.isArray(rows) ? rows : []), ...(command ? [(lead ? lead + " " : "") + command] : [])]);
    show("outcome", !waits || expired());
  };

  const UNASKED = "This client does not let the card ask what became of it: look again, or look on its page.";
  const fail = (rows, title = "") => {
    put("failure-title", title);
    show("failure-title", title !== "");
    lines("failure-lines", rows);
    show("failure", true);
    show("waiting", false);
  };
  const tell = (rows) => {
    show("waiting", false);
    put("told", rows.join(" "), 600);
    show("told", true);
  };
  const cancelled = () => {
    if (!card) tell(["The client stopped waiting. If there is a ticket, it still waits for you: gunbot-mcp tickets shows it."]);
  };

  // Time. The server decides what is too late; the countdown only shows it.

  let ticking;
  const count = () => {
    clearTimeout(ticking);
    const end = card ? Date.parse(card.ticket.expires_at) : NaN;
    show("expiry", !Number.isNaN(end));
    if (Number.isNaN(end) || card.ticket.state !== "pending") return;
    const seconds = Math.max(0, Math.floor((end - Date.now()) / 1000));
    put("expires-at", clock(new Date(end)));
    put("countdown", Math.floor(seconds / 60) + ":" + String(seconds % 60).padStart(2, "0"));
    byId("countdown").classList.toggle("soon", seconds <= 20);
    if (end > Date.now()) {
      ticking = setTimeout(count, 250);
      return;
    }
    put("countdown", "Expired");
    if (lastLook !== card.ticket.id) {
      lastLook = card.ticket.id;
      late = 0;
      put("announcement", "The ticket has expired.");
      drawOutcome(true);
    }
    // The server ends it, by its own clock, which may be behind ours and counts fractions of a second: ask until it has.
    if (late < MOST_LATE) ticking = setTimeout(lookLate, late ? POLL_MS : 1000);
    else show("decision", false);
    enable();
  };
  let lastLook = null;
  let late = 0;
  const lookLate = async () => {
    late += 1;
    await refresh();
    if (card.ticket.state !== "pending") return;
    drawOutcome(true);
    count();
  };

  // Acting.

  let human = false; // whether somebody decided here, or went to the page to decide
  let busy = false;
  let armed = false;
  const expired = () => card.ticket.state === "pending" && Date.parse(card.ticket.expires_at) <= Date.now();
  const enable = () => {
    for (const id of ["approve", "reject", "open"]) byId(id).disabled = busy || (id === "approve" && (!armed || expired()));
    byId("again").disabled = busy;
  };

  const decide = async (decision) => {
    if (busy || !card) return;
    const { ticket, key } = card;
    busy = true;
    enable();
    human = true;
    put(decision, words()[decision === "approve" ? "approving" : "rejecting"]);
    try {
      const result = await request("tools/call", {
        name: "decide_ticket",
        arguments: { ticket_id: ticket.id, decision, key },
      }, 180);
      busy = false;
      take(result);
      if (result.isError) await refresh({ keepFailure: true });
    } catch (error) {
      busy = false;
      const lines = ["The client did not pass your decision on: " + error.message + ".", "Look again before you decide anew."];
      // By itself the card may have learned meanwhile what became of it.
      if (card.ticket.state === "pending") fail(lines, "Not decided");
      await refresh({ keepFailure: card.ticket.state === "pending" });
    }
    if (card) draw();
    enable();
    put("announcement", byId("outcome").hidden ? "Not decided." : byId("outcome-title").textContent);
  };

  let looking = false;
  let again = false;
  const refresh = async ({ keepFailure = false, asked = false } = {}) => {
    // A human's click while the card looks by itself is not lost: it looks once more.
    if (looking) again = again || asked;
    // A decision that hangs in the client must not keep the card from saying that time ran out.
    if (looking || !card || (busy && !expired())) return;
    looking = true;
    const failure = keepFailure ? [...byId("failure-lines").children].map((row) => row.textContent) : [];
    const title = byId("failure-title").textContent;
    try {
      const result = await request("tools/call", { name: "get_ticket", arguments: { ticket_id: card.ticket.id } }, 60);
      if (!busy || expired()) take(result);
      if (failure.length) fail(failure, title);
      misses = 0;
    } catch (error) {
      misses += 1;
      if (asked) fail(["The client did not let the card look: " + error.message + "."], "Not looked");
    }
    looking = false;
    schedule();
    if (again) {
      again = false;
      await refresh({ asked: true });
    }
  };

  // Looking by itself: while an order is under way, and once the human has gone to the page to decide.
  let timer;
  let polls = 0;
  let slow = 0;
  let misses = 0;
  let gone = false;
  const schedule = () => {
    clearTimeout(timer);
    const state = card && card.ticket.state;
    const due = state === "approved" || state === "sending" || (state === "pending" && gone && !expired());
    // An order that was sent is followed to its fill: closely after a decision here, and then now and then.
    const followed = card && state !== "pending" && card.follows;
    if (!(due || followed) || misses > 1) return;
    const quick = polls < MOST_POLLS && (due || human);
    if (!quick && (!followed || slow >= MOST_POLLS)) return;
    timer = setTimeout(() => {
      if (quick) polls += 1;
      else slow += 1;
      if (document.hidden) schedule();
      else refresh();
    }, quick ? POLL_MS : SLOW_MS);
  };

  const open = async () => {
    const url = card.page_url;
    gone = human = true;
    schedule();
    try {
      const result = await request("ui/open-link", { url }, 60);
      if (result.isError) throw new Error("refused");
    } catch {
      tell(["The client does not open it. Open this address in a browser on this machine: " + url]);
    }
  };

  byId("approve").addEventListener("click", () => decide("approve"));
  byId("reject").addEventListener("click", () => decide("reject"));
  byId("open").addEventListener("click", open);
  byId("again").addEventListener("click", () => refresh({ asked: true }));
  const back = () => {
    if (!document.hidden && changes()) refresh();
  };
  document.addEventListener("visibilitychange", back);
  addEventListener("focus", () => gone && back());

  // The host's look, and its room for us.

  const dress = (context) => {
    if (context.theme === "light" || context.theme === "dark") document.documentElement.dataset.theme = context.theme;
    const variables = isObject(context.styles) && isObject(context.styles.variables) ? context.styles.variables : {};
    const font = variables["--font-sans"];
    if (typeof font === "string") document.documentElement.style.setProperty("--font-sans", font);
  };

  let height = 0;
  const measure = () => {
    const now = Math.ceil(byId("card").getBoundingClientRect().height) + 2;
    if (now === height) return;
    height = now;
    notify("ui/notifications/size-changed", { width: Math.ceil(window.innerWidth), height });
  };

  const start = async () => {
    try {
      const result = await request("ui/initialize", {
        protocolVersion: "2026-01-26",
        appInfo: { name: "gunbot-mcp ticket", version: "VERSION" },
        appCapabilities: { availableDisplayModes: ["inline"] },
      });
      if (isObject(result.hostContext)) dress(result.hostContext);
      if (isObject(result.hostCapabilities)) takes = result.hostCapabilities;
      notify("ui/notifications/initialized", {});
      new ResizeObserver(measure).observe(byId("card"));
    } catch (error) {
      fail([error.message + "."], "This client does not speak with the card");
    }
  };

  // A button that appears under a moving finger must not be pressed by it.
  const arm = () => {
    armed = false;
    setTimeout(() => {
      armed = true;
      if (card) enable();
    }, 500);
  };
  new MutationObserver(() => byId("approve").hidden || arm()).observe(byId("approve"), { attributeFilter: ["hidden"] });
  byId("approve").disabled = true;
  start();
})();
