"use strict";
(() => {
  // What the mark next to a pointer or a finger says: its aria-label. Marks are paths; axes are groups.
  const NEAR = 18;
  const tip = document.createElement("p");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);

  const away = (rect, x, y) => {
    const dx = Math.max(rect.left - x, 0, x - rect.right);
    const dy = Math.max(rect.top - y, 0, y - rect.bottom);
    return Math.hypot(dx, dy);
  };
  const nearest = (svg, x, y) => {
    let found = null;
    let least = NEAR;
    for (const mark of svg.querySelectorAll("path[aria-label]")) {
      const distance = away(mark.getBoundingClientRect(), x, y);
      if (distance < least) [found, least] = [mark, distance];
    }
    return found;
  };
  const point = (event) => {
    const svg = event.target instanceof Element ? event.target.closest(".chart svg") : null;
    const mark = svg && nearest(svg, event.clientX, event.clientY);
    tip.hidden = !mark;
    if (!mark) return;
    tip.textContent = mark.getAttribute("aria-label");
    const left = Math.min(event.clientX + 12, document.documentElement.clientWidth - tip.offsetWidth - 4);
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.max(4, event.clientY - tip.offsetHeight - 12) + "px";
  };
  for (const kind of ["pointermove", "pointerdown"]) document.addEventListener(kind, point);
  document.addEventListener("pointerleave", () => (tip.hidden = true));
})();
