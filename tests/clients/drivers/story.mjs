// What every driver in JavaScript plays; see story.py.
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createRequire } from "node:module";

const PAIR = { exchange: "binance", pair: "USDT-BTC" };
const BUY = { ...PAIR, amount: 0.001, price: 48000 };

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const line = async () => (await lines.next()).value;

export const entry = async () => JSON.parse(await line());
export const tell = (stage, facts) => process.stdout.write(`${JSON.stringify({ stage, ...facts })}\n`);

/** Load a package from the folder that PACKAGES names: drivers lie elsewhere. */
const required = createRequire(join(process.env.PACKAGES, "drivers.cjs"));
export const load = (name) => required(name);

function version(name) {
  let folder = dirname(required.resolve(name));
  for (;;) {
    try {
      const found = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      if (found.version) return found.version;
    } catch {
      // a folder of the package without one
    }
    folder = dirname(folder);
  }
}

/** Tell the story with a client that is connected. */
export async function play(name, client) {
  const { tools } = await client.listTools();
  tell("lists", { version: version(name), schemas: Object.fromEntries(tools.map((tool) => [tool.name, tool.inputSchema])) });
  const call = async (tool, args) => {
    try {
      const { content } = await client.callTool({ name: tool, arguments: args });
      return content.map((part) => part.text ?? "").join("\n");
    } catch (error) {
      return String(error.message);
    }
  };
  const page = { key: "binance/USDT-BTC", page: 0, page_size: 10 };
  tell("reads", { tool: "get_quote", text: await call("get_quote", PAIR) });
  tell("reads", { tool: "list_orders_page", text: await call("list_orders_page", page) });
  tell("refused", { text: await call("buy_limit", { ...BUY, amount: 1 }) });
  tell("mistaken", { text: await call("buy_limit", { ...BUY, price: -1 }) });
  tell("proposed", { text: await call("buy_limit", BUY) });
  tell("after", { text: await call("get_ticket", { ticket_id: (await line()).trim() }) });
  await client.close();
  process.exit(0);
}

/** A human who approves in the client's form. */
export function human(params) {
  tell("form", { text: params.message, schema: params.requestedSchema });
  return { action: "accept", content: { decision: "approve" } };
}
