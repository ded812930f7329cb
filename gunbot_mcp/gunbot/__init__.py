"""The async HTTP adapter: the only code that calls Gunbot."""
