"""Opening a page in the human's own browser: never a text browser, never waited for, and "opened" proves nothing.

`open_page` starts this file as a program of its own, because a browser may write to its output, which belongs to the
protocol in a server, and need not come back before it is closed.
"""

import os
import subprocess
import sys
import threading
import webbrowser
from collections.abc import Mapping

TEXT_BROWSERS = frozenset({"www-browser", "lynx", "links", "links2", "elinks", "w3m", "browsh"})
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")


def can_open(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """Return whether there is a screen on which a browser could show something."""
    return platform in {"win32", "darwin"} or any(environment.get(name) for name in _SCREENS)


def open_page(url: str) -> bool:
    """Ask the system's browser to show a page, and return at once; False: there is no screen, or nothing started."""
    if not can_open():
        return False
    null = subprocess.DEVNULL
    try:
        child = subprocess.Popen(  # noqa: S603 - this very program, with an address of ours
            [sys.executable, "-P", "-m", __name__, url], stdin=null, stdout=null, stderr=null, start_new_session=True
        )
    except OSError:
        return False
    # Somebody must hear that it ended, or it stays in the system's list as long as this process lives.
    threading.Thread(target=child.wait, name="browser", daemon=True).start()
    return True


def main(url: str) -> int:
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return 1
    if getattr(browser, "basename", "") in TEXT_BROWSERS:
        return 1
    return 0 if browser.open(url) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
