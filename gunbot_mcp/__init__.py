"""gunbot-mcp: a Model Context Protocol server for Gunbot's trading and order API.

Read `endpoints.py` first: it is the product in one table.
"""

__version__ = "0.1.0"
