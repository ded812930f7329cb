"""The embedded paper gateway: Gunbot's own HTTP API on a made-up market, for practice without a Gunbot.

pairs     what the accounts open with
market    prices as a pure function of seed and time; the book around a price
replay    prices from a file of candles
engine    open orders and a price path in, fills out; no I/O, no clock
accounts  balances, lots, the order record's formulas
migrations  the tables, as numbered steps
encoding  an open order as text
transaction  what one transaction reads and writes
data      the SQLite file: one transaction per request
simulator what a request does, between the wire and the data
wire      requests in, arguments out, derived from the table of endpoints
auth      tokens and the login
app       the Starlette application
openapi   the same, as a document
serve     the application on a port
"""
