// Signs that are drawn, so that no font need have them.
const space = "http://www.w3.org/2000/svg";

const drawn = {
  "\u23F3": ["wait", "pending", "M5 2h6M5 14h6M6 2v3l2 3 2-3V2M6 14v-3l2-3 2 3v3"],
  "\u231B": ["wait", "expired", "M5 2h6M5 14h6M6 2v3l2 3 2-3V2M6 14v-3l2-3 2 3v3"],
  "\u2705": ["good", "approved", "M3 8.5l3.2 3.2L13 4.8"],
  "\u274C": ["bad", "denied", "M4 4l8 8M12 4l-8 8"],
  "\u26A0": ["wait", "warning", "M8 2.5l6 11H2zM8 6.5v3.2M8 11.6v.6"],
  lock: ["", "private", "M4.5 7.5h7v6h-7zM6 7.5v-2a2 2 0 0 1 4 0v2"],
  out: ["", "opens elsewhere", "M6 4h6v6M12 4l-8 8"],
};

const signs = /(\u23F3|\u231B|\u2705|\u274C|\u26A0)\uFE0F?/u;

export function glyph(name) {
  const [tone, label, path] = drawn[name];
  const svg = document.createElementNS(space, "svg");
  for (const [key, value] of [["viewBox", "0 0 16 16"], ["class", "glyph " + tone], ["role", "img"], ["aria-label", label]]) svg.setAttribute(key, value);
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

// words is a text with its signs drawn.
export function words(text) {
  if (!text || !signs.test(text)) return text;
  return text.split(signs).map((part, i) => (i % 2 ? glyph(part) : part)); // every second part is a sign
}
