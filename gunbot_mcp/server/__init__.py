"""The MCP face: tools over the low-level SDK server, both protocol generations."""
