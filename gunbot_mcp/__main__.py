"""`python -m gunbot_mcp` is the console script."""

from gunbot_mcp.cli import main

main()
