// What is an action called? DID: what a person did, before a label if there is one; BECAME: what an item was given.

const BOTH = { keep: "right", remove: "remove", unsure: "not sure", ambiguous: "several labels" };

export const DID = { ...BOTH, relabel: "→", resolve: "settled →", question: "asks", answer: "answers", issue: "pattern", approve: "approved", return: "returned" };

export const BECAME = { ...BOTH, resolve: "settled" };
