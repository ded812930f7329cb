"""A process that syncs one key's mirror and is killed at one step of the place: `dying FOLDER LIST.json STEP`."""

import json
import os
import signal
import sys
from pathlib import Path

from history.lists import List, Mirrored

from gunbot_mcp.history.place import Folder


class Mortal(Folder):
    """Counts the steps before and after each change of the place, and is killed at one of them."""

    def __init__(self, root: Path, step: int) -> None:
        super().__init__(root)
        self.left = step

    def _live(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def keep(self, name: str, draft: Path) -> None:
        self._live()
        super().keep(name, draft)
        self._live()

    def move(self, name: str, to: str) -> None:
        self._live()
        super().move(name, to)
        self._live()

    def delete(self, name: str) -> None:
        self._live()
        super().delete(name)
        self._live()


def main() -> None:
    folder, listed, step = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    place = Mortal(folder, step)
    Mirrored(folder, size=100, place=place).sync(List(json.loads(listed.read_text(encoding="utf-8"))))
    # How many steps a whole sync has.
    sys.stdout.write(str(step - place.left))


if __name__ == "__main__":
    main()
