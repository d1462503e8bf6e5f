"use strict";
(() => {
  const { config, specs } = JSON.parse(document.getElementById("charts").textContent);
  if (innerWidth < 600) config.legend.columns = 3;
  const views = new Map();
  const waiting = new Map();
  for (const id of Object.keys(specs)) {
    const place = document.getElementById(id);
    if (place) waiting.set(id, place);
  }

  // Charts are drawn when they come near the window, the rest while the browser is idle: the page
  // opens at once, and everything is there when it is printed.
  async function draw(id) {
    const place = waiting.get(id);
    if (!place) return;
    waiting.delete(id);
    const options = { config, renderer: "svg", actions: false };
    const { view } = await vegaEmbed(place, specs[id], options);
    place.style.minHeight = "";
    // The place has a label for the whole; Vega names single marks, some without words.
    place.querySelector("svg").ariaHidden = "true";
    views.set(id, view);
    place.dataset.drawn = "true";
    applySignals(view);
  }
  const near = new IntersectionObserver(
    (entries) => entries.forEach((entry) => entry.isIntersecting && draw(entry.target.id)),
    { rootMargin: "300px" },
  );
  waiting.forEach((place) => near.observe(place));
  const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
  async function drawRest() {
    const [id] = waiting.keys();
    if (id === undefined) {
      document.documentElement.dataset.ready = "true";
      return;
    }
    await draw(id);
    whenIdle(drawRest);
  }
  window.addEventListener("load", () => whenIdle(drawRest));

  // Drawn for a wide window and then shrunk onto paper, labels could not be read.
  const paper = 660;
  window.addEventListener("beforeprint", () =>
    views.forEach((view) => view.width() > paper && view.width(paper).run()),
  );
  // Charts take the width of their place when the window changes.
  window.addEventListener("afterprint", () => window.dispatchEvent(new Event("resize")));

  // Switches: each sets one value; charts that have a signal of that name follow.
  const chosen = new Map();
  function applySignals(view) {
    const known = view.getState({ signals: () => true }).signals;
    let touched = false;
    for (const [name, value] of chosen) {
      if (name in known) {
        view.signal(name, value);
        touched = true;
      }
    }
    if (touched) view.runAsync();
  }
  document.querySelectorAll("fieldset.switch").forEach((group) => {
    const name = group.dataset.switch;
    const read = () => {
      chosen.set(name, group.querySelector("input:checked").value);
      views.forEach(applySignals);
      showMatrix();
    };
    group.addEventListener("change", read);
    chosen.set(name, group.querySelector("input:checked").value);
  });

  // Confusion matrices
  const frame = document.querySelector(".matrices");
  const models = document.querySelector(".thumbnails");
  function showMatrix() {
    const model = models.querySelector("input:checked").value;
    const level = chosen.get("confusion-level") ?? "track";
    frame.dataset.show = chosen.get("confusion-show");
    const of = [...frame.querySelectorAll(".matrix")].filter((one) => one.dataset.model === model);
    const wanted = of.find((one) => one.dataset.level === level) ?? of[0];
    frame.querySelectorAll(".matrix").forEach((one) => (one.hidden = one !== wanted));
    document.getElementById("confusion-whole").hidden = wanted.dataset.level === level;
  }
  models.addEventListener("change", showMatrix);
  showMatrix();

  // Sorting; rows without a value stay at the end.
  document.querySelectorAll("table.sortable").forEach((table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const numeric = head.classList.contains("number");
        const first = numeric ? "descending" : "ascending";
        const second = numeric ? "ascending" : "descending";
        const order = head.getAttribute("aria-sort") === first ? second : first;
        heads.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const value = (row) => row.cells[column].dataset.value ?? "";
        const rows = [...table.tBodies[0].rows].sort((one, other) => {
          const a = value(one), b = value(other);
          if (a === "" || b === "") return (a === "") - (b === "");
          return sign * (numeric ? a - b : a.localeCompare(b, "en", { numeric: true }));
        });
        table.tBodies[0].append(...rows);
      });
    });
  });

  // Correlations: one byte per pair beside the picture; pointer or arrow keys read them.
  const heat = document.getElementById("correlations");
  if (heat) {
    const names = heat.dataset.names.split(" ");
    const bytes = Uint8Array.from(atob(heat.dataset.values), (letter) => letter.charCodeAt(0));
    const values = new Int8Array(bytes.buffer);
    const mark = heat.querySelector("i");
    const readout = heat.parentElement.querySelector(".readout");
    const size = names.length;
    let row = 0, column = 0;
    const clamp = (index) => Math.min(size - 1, Math.max(0, index));
    const read = () => {
      const r = (values[row * size + column] / 100).toFixed(2).replace("-", "\u2212");
      readout.textContent = `${names[row]} × ${names[column]}: r = ${r}`;
      Object.assign(mark.style, {
        left: `${(100 * column) / size}%`, top: `${(100 * row) / size}%`,
        width: `max(${100 / size}%, 5px)`, height: `max(${100 / size}%, 5px)`, opacity: 1,
      });
    };
    heat.addEventListener("pointermove", (event) => {
      const box = heat.getBoundingClientRect();
      column = clamp(Math.floor(((event.clientX - box.left) / box.width) * size));
      row = clamp(Math.floor(((event.clientY - box.top) / box.height) * size));
      read();
    });
    heat.addEventListener("keydown", (event) => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      row = clamp(row + step[0]);
      column = clamp(column + step[1]);
      read();
    });
  }

  // The section being read is marked in the contents.
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const reading = new IntersectionObserver(
    (entries) => entries.forEach((entry) => {
      if (!entry.isIntersecting) return;
      links.forEach((link, id) => {
        link.classList.toggle("here", id === entry.target.id);
        if (id === entry.target.id) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      });
    }),
    { rootMargin: "-15% 0px -75% 0px" },
  );
  document.querySelectorAll("main > section").forEach((section) => links.has(section.id) && reading.observe(section));
})();
