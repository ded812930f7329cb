"""The guard's pages for humans: the approval page on loopback, and the ticket card inside MCP clients.

    page        the routes: what a ticket is, approve, reject
    gate        whose request it is: Host, Origin, the form and its token
    view_model  what the pages show, made from facts; every text in it is cleaned
    pages       the templates in `templates`, which escape every text
    background  uvicorn beside the owner's own work
    card        the same ticket as an MCP App view
    assets      the style and the scripts, allowed by their hashes and nothing else

Nothing here decides. A decision goes to the desk, which sends.
"""
