// How does the page speak to its server? JSON both ways; what goes wrong is an error with the status and one sentence.

export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

async function checked(answer) {
  if (answer.ok) return answer;
  let sentence = `The server answered ${answer.status}.`;
  try {
    sentence = (await answer.json()).error ?? sentence;
  } catch {
    // not JSON: a proxy's page; the status says enough
  }
  throw new Refused(answer.status, sentence);
}

// a browser's own words for a server that is away differ, and help nobody
const away = (error) => { throw error instanceof TypeError ? new TypeError("The server does not answer.") : error; };
const ask = (path, options = {}) => fetch(path, { credentials: "same-origin", ...options }).catch(away).then(checked);

export const query = (path, values) => `${path}?${new URLSearchParams(values)}`;
// commas stay commas: a sheet of 60 places is an address of 400 characters, not of 520
export const places = (path, v, ns) => `${path}?v=${encodeURIComponent(v)}&n=${Array.from(ns).join(",")}`;

export const json = async (path, options) => (await ask(path, options)).json();
export const text = async (path, options) => (await ask(path, options)).text();
export const blob = async (path, options) => (await ask(path, options)).blob();
export const bytes = async (path, options) => (await ask(path, options)).arrayBuffer();

export async function post(path, body, options = {}) {
  const headers = { "Content-Type": "application/json" };
  const answer = await ask(path, { method: "POST", headers, body: JSON.stringify(body), ...options });
  return answer.status === 204 ? null : answer.json();
}
