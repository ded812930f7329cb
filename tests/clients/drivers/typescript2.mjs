// The TypeScript SDK 2.x in either protocol generation, whose human answers its form: `typescript2.mjs legacy|auto`.
import { entry, human, load, play } from "./story.mjs";

const { Client } = load("@modelcontextprotocol/client");
const { StdioClientTransport } = load("@modelcontextprotocol/client/stdio");

const options = { capabilities: { elicitation: { form: {} } }, versionNegotiation: { mode: process.argv[2] } };
const client = new Client({ name: "typescript-2", version: "1" }, options);
client.setRequestHandler("elicitation/create", ({ params }) => human(params));
await client.connect(new StdioClientTransport(await entry()));
await play("@modelcontextprotocol/client", client);
