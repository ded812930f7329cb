"use strict";
/* What became of a ticket, in words: `outcomeOf(card, said)` returns {tone, title, lines}. The page's own are in
   web/outcome.py. Nothing here is clean yet: whoever shows it cleans and clips it. */
const outcomeOf = (() => {
  const OUTCOMES = {
    approved: ["unsure", "Approved, about to be sent"],
    sending: ["unsure", "On its way to Gunbot"],
    accepted: ["good", "Accepted by Gunbot"],
    rejected: ["bad", "Rejected by Gunbot"],
    unknown: ["unsure", "Unknown: the order may exist"],
    declined: ["calm", "Declined"],
    expired: ["calm", "Expired: nothing was sent"],
    withdrawn: ["calm", "Withdrawn: nothing was sent"],
    void: ["bad", "Void: this order did not happen"],
  };
  // ORDER stands for the order that a cancel is about: it was there before, so the words above would be wrong.
  const CANCEL_OUTCOMES = {
    ...OUTCOMES,
    accepted: ["good", "Cancel handed over"],
    rejected: ["bad", "Not cancelled: ORDER may still be open"],
    unknown: ["unsure", "Unknown: ORDER may still be open"],
    void: ["bad", "Not cancelled: ORDER may still be open"],
  };
  const NOT_OPEN = "no longer among the open orders";
  const CHANNELS = new Map([
    ["terminal", "in a terminal"],
    ["approval page", "on the approval page"],
  ]);
  const isObject = (value) => typeof value === "object" && value !== null;
  const capital = (text) => text.slice(0, 1).toUpperCase() + text.slice(1);

  const channel = (who) => {
    if (who.startsWith("form in ")) return "in the " + who;
    return who.startsWith("ticket card in ") ? "on the " + who : CHANNELS.get(who) || "by " + who;
  };

  const linesOf = ({ ticket, gateway }, said, cancels) => {
    const reason = capital(String(ticket.reason || "no reason was recorded")) + ".";
    if (ticket.state === "declined" && ticket.decided_by)
      return ["Declined " + channel(String(ticket.decided_by)) + ".", "Nothing was sent."];
    // The answer's own text is for models, and speaks of every ticket as an order.
    if (!cancels) return said.length ? said.map(capital) : [reason];
    if (ticket.state === "accepted" && isObject(gateway)) return ["Gunbot said: “" + gateway.message + "”."];
    if (ticket.state !== "unknown") return [reason];
    const then = "Look in Gunbot whether it is gone, then run gunbot-mcp resolve " + ticket.id + " in a terminal.";
    return [reason.replace("; the order may exist", ""), then];
  };

  return (card, said) => {
    const { ticket, observed } = card;
    const summary = String(ticket.summary);
    const cancels = ticket.tool === "cancel_order" || summary.startsWith("Cancel ");
    const words = cancels ? CANCEL_OUTCOMES : OUTCOMES;
    const [tone, title] = Object.hasOwn(words, ticket.state) ? words[ticket.state] : ["unsure", "State: " + ticket.state];
    const named = /\border (\S+?):? /.exec(summary);
    const order = named ? "order " + named[1] : "the order";
    const gone = isObject(observed) ? observed.where === NOT_OPEN : said.some((row) => row.includes(NOT_OPEN));
    const done = cancels && ticket.state === "accepted" && gone;
    return {
      tone,
      title: done ? "Cancelled: " + order + " is " + NOT_OPEN : title.replace("ORDER", () => order),
      lines: linesOf(card, said, cancels),
    };
  };
})();
