// How does an item look as a tile? A piece of a sheet of 60 and two lines: the label, and what it is or might become.

import { el, line, percent, said } from "./dom.js";
import { blob, places } from "./wire.js";

const WORDS = 44; // pixels of caption under a tile
const LETTER = 8.5; // pixels
const DOUBT = 0.05; // p_wrong from which a tile names the suggestion

export const cards = false;
export const width = (inside, wish) => wish;
export const height = (cell) => cell + WORDS;

export function parts(cell) {
  const pic = el("div", { class: "pic" });
  pic.style.height = `${cell}px`;
  const lines = [said(""), said("")];
  return { pic, lines, room: Math.floor((cell - 16) / LETTER), nodes: [pic, ...lines] };
}

// one sheet of the items ns, ready to be drawn
export async function fetch(v, ns, tile, options) {
  const address = URL.createObjectURL(await blob(places("/api/sheet", v, ns), options));
  const image = new Image();
  image.src = address;
  await image.decode(); // a background that is not decoded yet is a blank cell
  return { address, image, across: Math.max(1, Math.round(image.naturalWidth / tile)), wide: image.naturalWidth / tile };
}

export function arrive({ pic }, { sheet, at, cell }) {
  const { style } = pic;
  if (!sheet) {
    style.backgroundImage = "none";
    return;
  }
  style.backgroundSize = `${sheet.wide * cell}px auto`;
  style.backgroundPosition = `${-(at % sheet.across) * cell}px ${-Math.floor(at / sheet.across) * cell}px`;
  style.backgroundImage = `url("${sheet.address}")`;
}

// the fewer elements a tile has, the faster it moves
export function caption({ n, pic, lines: [first, second], room }, catalogue, now) {
  const [given, hint] = [catalogue.given(n), catalogue.suggested(n)];
  const changed = now && now !== given;
  const odd = hint !== null && hint !== given && catalogue.wrong(n) >= DOUBT;
  first.title = given ?? "no label";
  line(first, first.title, changed ? "was" : "is", room);
  second.title = changed ? now : odd ? hint : "";
  line(second, changed ? `→ ${now}` : odd ? `${hint}?` : "", changed ? "to" : "hint", room);
  second.hidden = !changed && !odd;
  pic.dataset.p = odd ? percent(catalogue.wrong(n)) : "";
}
