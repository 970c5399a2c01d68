// What does a mouse or a finger mean on the grid? Click, shift-click, ctrl-click, and drag to paint.

// heard: {moved(position, event), painted(places, on), opened()}
export function listen(grid, heard) {
  const { root } = grid;
  let drag = null;
  const under = (event) => {
    const node = document.elementFromPoint(event.clientX, event.clientY)?.closest(".cell");
    return node && root.contains(node) ? grid.rows.flatMap((row) => row.cells).find((cell) => cell.node === node) : null;
  };
  root.addEventListener("pointerdown", (event) => {
    const cell = under(event);
    if (!cell || event.button !== 0) return;
    if (event.pointerType !== "touch") event.preventDefault(); // a drag paints; it selects no words
    const plain = !event.shiftKey && !event.ctrlKey && !event.metaKey && event.pointerType !== "touch";
    drag = plain ? { from: cell, on: !grid.selection.flags.has(cell.n), moved: false } : null;
    if (event.pointerType !== "touch") heard.moved(cell.position, event);
  });
  root.addEventListener("pointermove", (event) => {
    if (!drag || !(event.buttons & 1)) return;
    const cell = under(event);
    if (!cell || (cell === drag.from && !drag.moved)) return;
    if (!drag.moved) heard.painted([drag.from.n], drag.on);
    drag.moved = true;
    heard.painted([cell.n], drag.on);
  });
  window.addEventListener("pointerup", () => (drag = null));
  root.addEventListener("click", (event) => {
    if (event.pointerType === "touch") {
      const cell = under(event);
      if (cell) heard.moved(cell.position, event);
    }
  });
  root.addEventListener("dblclick", (event) => under(event) && heard.opened());
}
