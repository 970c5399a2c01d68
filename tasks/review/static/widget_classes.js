// How is a label of a class given? By a key, or picked from all of them by search.

import * as ask from "./dialogs.js";
import { said } from "./dom.js";

export const keyed = true; // the likeliest labels are on the keys 2-9
export const verb = "Label …";
export const suggestion = (labels, n) => labels.catalogue.suggested(n);
export const bare = (labels, n) => labels.catalogue.given(n) === null; // no label that could be right

// the label that is given and the one that is suggested, as the side panel shows them
export const compared = (given, suggested) => [said(given, "is"), said(suggested, "to")];

// [label, its words], or null
export async function wanted(labels) {
  const label = await ask.pick("Label", labels.all(), { pinned: labels.pinning(), hint: "A pinned label keeps its key." });
  return label === null ? null : [label, label];
}

// the label that ends a dispute, null, or ask.REMOVED; sides: [[label, or null: to remove it, [who, ..]]]
export function settled(labels, sides) {
  const all = labels.all();
  const first = sides.filter(([label]) => all.some(([name]) => name === label)).map(([label, who]) => [label, who.join(", ")]);
  const rest = all.filter(([label]) => !first.some(([name]) => name === label));
  return ask.pick("Which label is right?", [...first, ...rest], { removal: sides.find(([label]) => label === null)?.[1] ?? [] });
}
