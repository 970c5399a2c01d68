// What can be asked for before the rest of the page is evaluated? Who I am and the catalogue, unless a link must be exchanged first.

import { bytes, json } from "./wire.js";

// a modality names its preview and a label kind its widget: a file of each name
const looks = (me) => Promise.all([me, import(`./preview_${me.preview}.js`), import(`./widget_${me.widget}.js`)]);
const asked = () => Promise.all([json("/api/me").then(looks), bytes("/api/catalogue")]);

let early = new URLSearchParams(location.hash.slice(1)).has("token") ? null : asked();
early?.catch(() => {}); // whoever takes it hears of it

// [[me, preview, widget], catalogue as bytes]
export function start() {
  const found = early ?? asked();
  early = null;
  return found;
}
