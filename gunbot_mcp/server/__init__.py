"""The MCP side: tools over the low-level SDK server, both protocol generations."""
