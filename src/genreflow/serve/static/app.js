"use strict";

const SHOWN = 3; // most probable genres
const AT_ONCE = 2; // uploads under way; the others wait here
const COLOURS = 12;

const $ = (selector, root = document) => root.querySelector(selector);
const element = (name, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};
const percent = (share) => `${Math.round(100 * share)} %`;
const clock = (seconds) =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const waiting = [];
let underway = 0;

async function begin() {
  const { models, limits } = await (await fetch("/api/models")).json();
  const box = $("#models");
  models.forEach((model, number) => {
    const input = element("input", { type: "checkbox", name: "model", value: model.name, checked: number === 0 });
    const accuracy = model.accuracy === null ? "" : `${percent(model.accuracy)} right`;
    box.append(element("label", {}, input, element("span", { textContent: model.name }),
      element("span", { textContent: accuracy, title: "of the test tracks, in the comparison that vouches for it" })));
  });
  const genres = models[0].genres;
  $("#closed").textContent =
    `A closed set: whatever it is, every sound gets one of these ${genres.length} genres: ${genres.join(", ")}.`;
  $("#limits").textContent = `Up to ${limits.megabytes} MB and ${limits.minutes} minutes each. ` +
    "Nothing leaves this machine.";
}

function add(files) {
  for (const file of files) {
    const card = $("#card").content.firstElementChild.cloneNode(true);
    $("h2", card).textContent = file.name;
    say(card, "Waiting", "busy");
    $("#results").prepend(card);
    const models = [...document.querySelectorAll("#models input:checked")].map((input) => input.value);
    waiting.push({ file, card, models });
  }
  next();
}

function next() {
  while (underway < AT_ONCE && waiting.length) {
    underway += 1;
    ask(waiting.shift()).finally(() => { underway -= 1; next(); });
  }
}

async function ask({ file, card, models }) {
  say(card, "Listening", "busy");
  const query = new URLSearchParams({ models: models.join(","), name: file.name });
  try {
    const response = await fetch(`/api/predict?${query}`, { method: "POST", body: file });
    const found = await response.json();
    if (!response.ok) throw new Error(found.error);
    show(card, file, found);
  } catch (error) {
    const reason = error instanceof TypeError || error instanceof SyntaxError ? "the server can't be reached, or refused it" : error.message;
    say(card, `Can't be used: ${reason}.`, "failed");
    announce(`${file.name} can't be used: ${reason}`);
  }
}

function say(card, text, kind = "") {
  const state = $(".state", card);
  state.textContent = text;
  state.className = `state ${kind}`;
}

function announce(text) { $("#status").textContent = text; }

function show(card, file, found) {
  const best = found.models.map((model) => {
    const [genre, share] = ranked(model)[0];
    return `${genre}, ${percent(share)}${found.models.length > 1 ? ` (${model.name})` : ""}`;
  }).join("; ");
  say(card, `${clock(found.seconds)} min`);
  announce(`${file.name}: ${best}`);
  $(".answers", card).append(...found.models.map(answer));
  const picture = $(".picture img", card);
  picture.src = found.spectrogram;
  picture.alt = `Mel spectrogram of ${file.name}, ${clock(found.seconds)} long, low frequencies at the bottom`;
  const seek = listen(card, file, found.seconds);
  $(".lanes", card).append(...found.models.map((model) => lane(model, found, seek)));
  const marks = 4;
  for (let i = 0; i <= marks; i += 1) {
    const mark = element("span", { textContent: clock(found.seconds * i / marks) });
    mark.style.left = `${100 * i / marks}%`;
    $(".axis", card).append(mark);
  }
  $("details .scroll", card).append(table(found));
  $(".heard", card).hidden = false;
}

function ranked(model, probabilities = model.probabilities) {
  return model.genres.map((genre, i) => [genre, probabilities[i], i]).sort((a, b) => b[1] - a[1]);
}

function answer(model) {
  const rows = ranked(model).slice(0, SHOWN).map(([genre, share]) => {
    const fill = element("i");
    fill.style.width = `${100 * share}%`;
    return element("li", {}, element("span", { textContent: genre, title: genre }),
      element("span", { className: "bar", ariaHidden: "true" }, fill), element("span", { textContent: percent(share) }));
  });
  return element("section", { className: "answer" }, element("h3", { textContent: model.name }), element("ol", {}, ...rows));
}

/* One lane of a model's stretches, beneath the picture and as wide. */
function lane(model, found, seek) {
  const strip = element("div");
  for (const part of model.parts) {
    const silent = part.probabilities === null;
    const [genre, share, number] = silent ? ["silent", 0, 0] : ranked(model, part.probabilities)[0];
    const when = `${clock(part.start)} to ${clock(part.end)}`;
    const piece = element("button", {
      type: "button", textContent: silent ? "" : genre,
      className: silent ? "silent" : `c${number % COLOURS}`,
      title: silent ? `${when}: silent` : `${when}: ${genre}, ${percent(share)}`,
    });
    piece.setAttribute("aria-label", piece.title);
    piece.style.left = `${100 * part.start / found.seconds}%`;
    piece.style.width = `${100 * (part.end - part.start) / found.seconds}%`;
    piece.addEventListener("click", () => seek(part.start));
    strip.append(piece);
  }
  return element("div", { className: "lane" }, element("span", { textContent: model.name }), strip);
}

/* Player, playhead and slider go in step; return what moves all of them. */
function listen(card, file, seconds) {
  const audio = $("audio", card);
  const slider = $(".seek input", card);
  const head = $(".playhead", card);
  slider.max = seconds;
  const move = (time) => {
    head.style.left = `${100 * Math.min(1, time / seconds)}%`;
    slider.value = time;
    slider.setAttribute("aria-valuetext", clock(time));
  };
  const seek = (time) => {
    if (audio.readyState) audio.currentTime = time;
    move(time);
  };
  const follow = () => {
    move(audio.currentTime);
    if (!audio.paused && !audio.ended) requestAnimationFrame(follow);
  };
  audio.src = URL.createObjectURL(file);
  audio.addEventListener("play", follow);
  audio.addEventListener("seeked", () => move(audio.currentTime));
  audio.addEventListener("error", () => {
    audio.hidden = true;
    $(".unplayable", card).hidden = false;
  });
  slider.addEventListener("input", () => seek(Number(slider.value)));
  $(".picture", card).addEventListener("click", (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    seek(seconds * (event.clientX - box.left) / box.width);
  });
  move(0);
  return seek;
}

function table(found) {
  const head = ["from", "to", ...found.models.flatMap((model) => [model.name, "probability"])];
  const times = found.models[0].parts.map((part) => [part.start, part.end]);
  const rows = times.map(([start, end], number) => [
    clock(start), clock(end),
    ...found.models.flatMap((model) => {
      const part = model.parts[number];
      if (!part || part.probabilities === null) return ["silent", ""];
      const [genre, share] = ranked(model, part.probabilities)[0];
      return [genre, percent(share)];
    }),
  ]);
  const cells = (name, values) => element("tr", {}, ...values.map((text) => element(name, { textContent: text })));
  return element("table", {}, element("thead", {}, cells("th", head)), element("tbody", {}, ...rows.map((row) => cells("td", row))));
}

const drop = $("#drop");
for (const name of ["dragenter", "dragover"]) {
  addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
for (const name of ["dragleave", "drop"]) {
  addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
}
addEventListener("drop", (event) => add(event.dataTransfer.files));
$("#files").addEventListener("change", (event) => { add([...event.target.files]); event.target.value = ""; });
$("#ask").addEventListener("submit", (event) => event.preventDefault());
begin();
