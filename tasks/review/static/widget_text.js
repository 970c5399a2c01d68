// How is a label given that is a text of its own? Written, beginning with the suggestion.

import * as ask from "./dialogs.js";
import { marked } from "./diff.js";
import { said, tell } from "./dom.js";

export const keyed = false;
export const verb = "Write";
export const suggestion = (labels, n) => labels.card(n)?.suggestion ?? null;
export const bare = () => false;

// the label that is given and the one that is suggested, with what differs marked
export const compared = (given, suggested) => [marked(given, suggested, "out", "is"), marked(suggested, given, "in", "to")];

// [label, its words] for the item under the cursor, or null
export async function wanted(labels) {
  const { grid } = labels;
  const card = labels.card(grid.order[grid.cursor]);
  if (!card) {
    tell("This card has not come yet.");
    return null;
  }
  labels.selection.clear(); // one text is one item's
  const label = await ask.write("The right text", { text: card.suggestion ?? card.label ?? "", hint: card.text });
  return label === null ? null : [label, "the text you wrote"];
}

// the text that ends a dispute, null, or ask.REMOVED; sides: [[text, or null: to remove it, [who, ..]]]
export function settled(labels, sides) {
  const texts = sides.filter(([text]) => text !== null);
  const drafts = texts.map(([text, who], k) => [text, who.join(", "), texts.length === 2 ? marked(text, texts[1 - k][0], "in", "free") : said(text, "free")]);
  return ask.write("The right text", { drafts, removal: sides.find(([text]) => text === null)?.[1] ?? [] });
}
