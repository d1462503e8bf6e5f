// What one model says over time: runs of one genre with their names, and how sure it is of each stretch.

import { clock, colour, element, percent, ranked } from "./words.js";

/* Neighbouring stretches of one genre, as one; the genre of silence is null. */
export function runs(model) {
  const found = [];
  for (const part of model.parts) {
    const [genre, share] = part.probabilities === null ? [null, 0] : ranked(model.genres, part.probabilities)[0];
    const last = found.at(-1);
    if (last?.genre === genre && Math.abs(last.end - part.start) < 0.01) {
      last.end = part.end;
      last.shares.push(share);
    } else {
      found.push({ genre, start: part.start, end: part.end, shares: [share] });
    }
  }
  return found;
}

/* Return a lane as wide as the file is long, and a function that tells where the playhead is. */
export function lane(model, seconds, seek) {
  const place = (made, start, end) => {
    made.style.left = `${100 * start / seconds}%`;
    made.style.width = `${100 * (end - start) / seconds}%`;
    return made;
  };
  const pieces = runs(model).map((run, number) => {
    const button = element("button", { type: "button", title: said(run), tabIndex: number ? -1 : 0 },
      element("span", { textContent: run.genre ?? "silent" }));
    button.className = run.genre === null ? "silent" : colour(run.genre);
    button.setAttribute("aria-label", button.title);
    button.addEventListener("click", (event) => {
      const box = button.getBoundingClientRect();
      const share = event.detail ? (event.clientX - box.left) / box.width : 0; // the keyboard has no place
      seek(run.start + share * (run.end - run.start));
    });
    return { run, button: place(button, run.start, run.end) };
  });
  const bars = model.parts.filter((part) => part.probabilities !== null).map((part) => {
    const [genre, share] = ranked(model.genres, part.probabilities)[0];
    const bar = place(element("i", { className: colour(genre) }), part.start, part.end);
    bar.style.height = `${100 * share}%`;
    return bar;
  });
  const strip = element("div", { className: "strip", role: "group", ariaLabel: `Genres over time by ${model.name}` },
    ...pieces.map(({ button }) => button));
  strip.addEventListener("keydown", (event) => walk(event, pieces));
  const here = element("span", { className: "here" });
  const made = element("div", { className: "lane" },
    element("p", {}, element("b", { textContent: model.name }), here), strip,
    element("div", { className: "sure", ariaHidden: "true" }, ...bars));
  return { place: made, at: (time) => tell(model, pieces, here, time) };
}

function said({ genre, start, end, shares }) {
  const when = `${clock(start)} to ${clock(end)}`;
  if (genre === null) return `${when}: silent`;
  const [low, high] = [Math.min(...shares), Math.max(...shares)].map(percent);
  return `${when}: ${genre}, ${low === high ? low : `${low} to ${high}`}`;
}

/* One stop of the tab key; arrows go on from there. */
function walk(event, pieces) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  const from = pieces.findIndex(({ button }) => button === document.activeElement);
  const to = pieces[from + step];
  if (!to) return;
  event.preventDefault();
  pieces[from].button.tabIndex = -1;
  to.button.tabIndex = 0;
  to.button.focus();
}

function tell(model, pieces, here, time) {
  const part = model.parts.find(({ start, end }) => start <= time && time < end);
  const [genre, share] = part?.probabilities ? ranked(model.genres, part.probabilities)[0] : ["", 0];
  here.textContent = genre ? `${genre}, ${percent(share)}` : part ? "silent" : "";
  for (const { run, button } of pieces) button.classList.toggle("now", run.start <= time && time < run.end);
  return here.textContent;
}
