// The TypeScript SDK 1.x, whose human answers its form.
import { entry, human, load, play } from "./story.mjs";

const { Client } = load("@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = load("@modelcontextprotocol/sdk/client/stdio.js");
const { ElicitRequestSchema } = load("@modelcontextprotocol/sdk/types.js");

const client = new Client({ name: "typescript-1", version: "1" }, { capabilities: { elicitation: {} } });
client.setRequestHandler(ElicitRequestSchema, ({ params }) => human(params));
await client.connect(new StdioClientTransport(await entry()));
await play("@modelcontextprotocol/sdk/client/index.js", client);
