// Draws an answer over its picture: the places of the texts in the picture's own pixels, which the SVG scales as the
// browser scales the picture.

import { maskNumber } from "./mask.js";

const SVG = "http://www.w3.org/2000/svg";

/** Draws the cards of an answer. While numbers are hidden, their places are covered and the masked text is written there. */
export function drawCards(svg, picture, cards, revealed) {
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${picture.naturalWidth} ${picture.naturalHeight}`);
  for (const [index, card] of cards.entries()) {
    const group = add(svg, "g", { class: "card", "data-card": index });
    if (card.card?.keypoints?.length === 4) outline(group, "edge", card.card.keypoints);
    for (const field of card.fields ?? []) {
      if (field.kind !== "number") outline(group, "date", grown(field.keypoints, 0.12));
    }
    const place = grown(card.keypoints, 0.14);
    outline(group, revealed ? "number" : "number covered", place);
    if (!revealed) write(group, maskNumber(card.number_grouped ?? card.number), place);
  }
}

function outline(group, name, points) {
  add(group, "polygon", { class: name, points: points.map(({ x, y }) => `${x},${y}`).join(" ") });
}

/** Writes a text into a place, along its own direction. */
function write(group, text, [start, end, , below]) {
  const width = Math.hypot(end.x - start.x, end.y - start.y);
  const height = Math.hypot(below.x - start.x, below.y - start.y);
  if (width === 0 || height === 0) return;
  const [ux, uy] = [(end.x - start.x) / width, (end.y - start.y) / width];
  const [vx, vy] = [(below.x - start.x) / height, (below.y - start.y) / height];
  const size = height * 0.74;
  const written = add(group, "text", {
    transform: `matrix(${ux} ${uy} ${vx} ${vy} ${start.x} ${start.y})`,
    x: width * 0.03,
    y: height * 0.76,
    "font-size": size,
    textLength: width * 0.94,
    lengthAdjust: "spacingAndGlyphs",
  });
  written.textContent = text;
}

/** A place with some air around it: a share of its height on every side. */
function grown(points, share) {
  const [start, end, , below] = points;
  const width = Math.hypot(end.x - start.x, end.y - start.y) || 1;
  const height = Math.hypot(below.x - start.x, below.y - start.y) || 1;
  const air = share * height;
  const along = { x: ((end.x - start.x) / width) * air, y: ((end.y - start.y) / width) * air };
  const down = { x: ((below.x - start.x) / height) * air, y: ((below.y - start.y) / height) * air };
  const signs = [[-1, -1], [1, -1], [1, 1], [-1, 1]];
  return points.map(({ x, y }, corner) => ({
    x: x + signs[corner][0] * along.x + signs[corner][1] * down.x,
    y: y + signs[corner][0] * along.y + signs[corner][1] * down.y,
  }));
}

function add(parent, name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}
