"use strict";
(() => {
  // How much waits, in the title and the icon of every tab. One tab holds the stream and tells the others: a browser
  // has six connections to a server, and a seventh page would never load.
  if (!navigator.locks || !window.BroadcastChannel || !document.querySelector("[data-events]")) return;
  const channel = new BroadcastChannel("gunbot-mcp");
  const title = document.title;
  const icon = document.querySelector("link[rel=icon]");
  const plain = icon && icon.href;
  const main = document.querySelector("main[data-version]");
  const front = main && main.dataset.live === "/live";
  const two = (number) => String(number).padStart(2, "0");
  let known = null;
  // Whichever clock ran further is right: one of them stands still while a machine sleeps.
  const gone = () => Math.max(Date.now() - known.wall, performance.now() - known.steady) / 1000;
  const show = () => {
    if (!known) return;
    const count = known.count;
    const left = known.left === null ? null : Math.max(0, Math.floor(known.left - gone()));
    const time = left === null ? "" : " " + Math.floor(left / 60) + ":" + two(left % 60);
    document.title = count ? "(" + count + ")" + time + " " + title : title;
    if (!icon) return;
    const mark = count > 99 ? "99" : String(count);
    const drawn = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#7a4b00"/>' +
      '<text x="8" y="12.2" font-size="12" font-family="sans-serif" font-weight="700" text-anchor="middle" fill="#fff">' + mark + "</text></svg>";
    const href = count ? "data:image/svg+xml," + encodeURIComponent(drawn) : plain;
    if (icon.href !== href) icon.href = href;
  };
  const take = (found) => {
    if (known && known.version !== found.version) document.dispatchEvent(new Event("gunbot-mcp-news"));
    known = { ...found, wall: Date.now(), steady: performance.now() };
    show();
    const typing = document.activeElement && document.activeElement.matches("input");
    if (front && found.version !== main.dataset.version && !typing) location.replace("/");
    for (const place of document.querySelectorAll("[data-others]")) {
      const others = Math.max(0, found.count - Number(place.dataset.others));
      place.hidden = others === 0;
      place.querySelector("[data-count]").textContent = others === 1 ? "1 other order waits" : others + " other orders wait";
    }
  };
  channel.onmessage = (event) => {
    if (event.data === "hello") return holds && known && channel.postMessage({ ...known, left: known.left === null ? null : known.left - gone() });
    take(event.data);
  };
  let holds = false;
  channel.postMessage("hello");
  navigator.locks.request("gunbot-mcp-events", () => {
    holds = true;
    const stream = new EventSource("/events");
    stream.onmessage = (event) => {
      const found = JSON.parse(event.data);
      take(found);
      channel.postMessage(found);
    };
    return new Promise(() => {}); // until this tab is closed: then another one takes it
  });
  setInterval(show, 1000);
})();
