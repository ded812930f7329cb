"""What `gunbot-mcp doctor` looks at: rows in one ordered tuple (`rows.py`), each a question with one finding."""
