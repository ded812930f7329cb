"""The tools: what each answers, in both forms."""
