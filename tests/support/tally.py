"""What a test run counted: lines that are printed at its end, also where pytest captures what tests print."""

LINES: list[str] = []


def tell(line: str) -> None:
    LINES.append(line)
