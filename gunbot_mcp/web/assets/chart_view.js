"use strict";
(() => {
  const META = "gunbot-mcp/chart";
  const INITIALIZE = 1;
  const byId = (id) => document.getElementById(id);
  const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
  const post = (message) => window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");

  // Only what a drawing is made of comes into the page, whatever the host passed on.
  const SHAPES = new Set(["svg", "g", "path", "rect", "line", "text", "tspan", "defs", "clipPath"]);
  const safe = (node) => {
    for (const child of [...node.children]) {
      if (SHAPES.has(child.localName)) safe(child);
      else child.remove();
    }
    for (const { name } of [...node.attributes]) {
      if (name.startsWith("on") || name.includes("href") || name === "style") node.removeAttribute(name);
    }
    return node;
  };
  const tell = (text) => {
    byId("told").textContent = text.slice(0, 2000);
    byId("told").hidden = !text;
  };
  const take = (result) => {
    const meta = isObject(result._meta) && isObject(result._meta[META]) ? result._meta[META] : {};
    const blocks = Array.isArray(result.content) ? result.content : [];
    const text = blocks.filter((block) => isObject(block) && block.type === "text").map((block) => String(block.text));
    byId("waiting").hidden = true;
    const parsed = typeof meta.svg === "string" ? new DOMParser().parseFromString(meta.svg, "image/svg+xml") : null;
    const drawn = parsed !== null && parsed.documentElement.localName === "svg";
    if (drawn) {
      const drawing = document.importNode(safe(parsed.documentElement), true);
      // A mark is a small picture, and its label what it says to whoever does not see it.
      for (const mark of drawing.querySelectorAll("[aria-label]")) mark.setAttribute("role", "img");
      byId("chart").replaceChildren(drawing);
    }
    byId("chart").hidden = !drawn;
    tell(drawn ? text.join("\n").split("\n")[0] : text.join("\n"));
  };

  const dress = (context) => {
    if (context.theme === "light" || context.theme === "dark") document.documentElement.dataset.theme = context.theme;
  };
  let height = 0;
  const measure = () => {
    const now = Math.ceil(byId("card").getBoundingClientRect().height) + 2;
    if (now === height) return;
    height = now;
    post({ method: "ui/notifications/size-changed", params: { width: Math.ceil(window.innerWidth), height } });
  };

  addEventListener("message", (event) => {
    const message = event.data;
    if (event.source !== window.parent || !isObject(message) || message.jsonrpc !== "2.0") return;
    const params = isObject(message.params) ? message.params : {};
    if (message.method === undefined) {
      if (message.id !== INITIALIZE || !isObject(message.result)) return;
      if (isObject(message.result.hostContext)) dress(message.result.hostContext);
      post({ method: "ui/notifications/initialized", params: {} });
      new ResizeObserver(measure).observe(byId("card"));
    } else if (message.id !== undefined) {
      const known = message.method === "ping" || message.method === "ui/resource-teardown";
      const error = { code: -32601, message: "Method not found" };
      post(known ? { id: message.id, result: {} } : { id: message.id, error });
    } else if (message.method === "ui/notifications/tool-result") take(params);
    else if (message.method === "ui/notifications/host-context-changed") dress(params);
  });
  post({
    id: INITIALIZE,
    method: "ui/initialize",
    params: {
      protocolVersion: "2026-01-26",
      appInfo: { name: "gunbot-mcp chart", version: "VERSION" },
      appCapabilities: { availableDisplayModes: ["inline"] },
    },
  });
})();
