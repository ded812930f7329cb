// A chat client made of other people's parts: the protocol's own TypeScript SDK, and mcp-ui's renderer of apps.
import { createElement } from "react";
import { createRoot } from "react-dom/client";
import { AppRenderer } from "@mcp-ui/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const ui = { "io.modelcontextprotocol/ui": { mimeTypes: ["text/html;profile=mcp-app"] } };
const asked = new URLSearchParams(location.search);
const sandbox = { url: new URL(asked.get("sandbox")) };
const note = (name) => (params) => {
  window.noted.push([name, params]);
  return Promise.resolve({});
};
window.noted = [];

const client = new Client({ name: "a foreign host", version: "1" }, { capabilities: { extensions: ui } });
await client.connect(new StreamableHTTPClientTransport(new URL("/mcp", location.href)));
const toolInput = JSON.parse(asked.get("arguments"));
const toolName = asked.get("tool");
const toolResult = await client.callTool({ name: toolName, arguments: toolInput });
createRoot(document.getElementById("chat")).render(
  createElement(AppRenderer, {
    client,
    toolName,
    toolInput,
    toolResult,
    sandbox,
    onOpenLink: note("link"),
    onMessage: note("message"),
    onFallbackRequest: ({ method, params }) => note(method)(params),
    onError: (error) => note("error")(String(error)),
  }),
);
