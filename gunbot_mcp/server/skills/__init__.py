"""The Skills extension: one folder with a SKILL.md for each skill, and what serves them."""
