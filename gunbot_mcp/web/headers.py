"""The headers of every answer: nothing is kept, framed or shared, and only our own script runs."""

from gunbot_mcp.web.assets import source


def policy(style: str, script: str) -> str:
    """Return the policy of a page whose one style and one script have these hashes."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {style}",
            f"script-src {script}",
            "img-src data:",
            "connect-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


HEADERS = {
    "Content-Security-Policy": policy(
        source("ticket.css"), " ".join(map(source, ("page.js", "passkey.js", "events.js")))
    ),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not no-referrer: with it, browsers send `Origin: null` with our own forms. Nothing goes to other origins.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
