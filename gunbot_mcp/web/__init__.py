"""The human's face of the guard: the approval page on loopback, and the ticket card inside MCP clients.

    page        the routes: what a ticket is, approve, reject
    gate        whose request it is: Host, Origin, the form and its token
    views       the HTML; every text in it is escaped by `markup`
    book        the market beside the order, read while the human looks
    outcome     what became of a ticket, in words
    background  uvicorn beside the owner's own work
    card        the same ticket as an MCP App view
    assets      the style and the scripts, allowed by their hashes and nothing else

Nothing here decides. A decision goes to the desk, which sends.
"""
