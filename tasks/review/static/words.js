// What is an action called? DID: what a person did, before a label if there is one; BECAME: what an item was given.

const BOTH = { keep: "right", remove: "remove", unsure: "not sure", ambiguous: "several labels", issue: "pattern" };

export const DID = { ...BOTH, relabel: "→", resolve: "settled →", question: "asks", answer: "answers", approve: "approved", return: "returned" };

export const BECAME = { ...BOTH, resolve: "settled", question: "question" };
