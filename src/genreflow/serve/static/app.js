// Which files are asked about, in which order, and what becomes of them.

import { show } from "./card.js";
import { $, colour, element, percent } from "./words.js";

const AT_ONCE = 2; // uploads under way; the others wait here

const jobs = [];
let underway = 0;
let limits;

async function begin() {
  try {
    const about = await (await fetch("/api/models")).json();
    limits = about.limits;
    about.models.forEach(offer);
    explain(about.models);
  } catch {
    $("#closed").textContent = "The server can't be reached. Is it still running? Then load this page again.";
  }
}

function offer(model, number) {
  const input = element("input", { type: "checkbox", name: "model", value: model.name, checked: number === 0 });
  const about = [model.title, ...model.outside_data.map((data) => `pre-trained on ${data}`)].filter(Boolean);
  const interval = model.interval ? model.interval.map((share) => Math.round(100 * share)).join("–") : "";
  $("#models div").append(element("label", {}, input,
    element("span", { className: "name" }, element("b", { textContent: model.name }), " ",
      element("small", { textContent: about.join("; ") })),
    element("span", { className: "right" }, model.accuracy === null ? "not judged" : percent(model.accuracy), " ",
      element("small", { textContent: interval }))));
}

function explain(models) {
  const counts = new Set(models.map((model) => model.tracks).filter(Boolean));
  $("#models .note").textContent = counts.size
    ? `Share of ${counts.size === 1 ? `the ${[...counts][0]}` : "its"} test tracks that each got right, with its 95\u00a0% interval.`
    : "";
  const genres = [...new Set(models.flatMap((model) => model.genres))];
  genres.forEach(colour); // in this order
  const which = models.every((model) => model.genres.length === genres.length)
    ? `one of these ${genres.length} genres` : "one of those that the model knows, of these";
  $("#closed").textContent = `A closed set: whatever it is, every sound gets ${which}: ${genres.join(", ")}.`;
  $("#limits").textContent = `Up to ${limits.megabytes} MB and ${limits.minutes} minutes each. Nothing leaves this machine.`;
}

const chosen = () => [...document.querySelectorAll("#models input:checked")].map((input) => input.value);

function add(files) {
  const cards = [...files].map((file) => {
    const card = $("#card").content.firstElementChild.cloneNode(true);
    const job = { file, card, models: chosen(), state: "", url: URL.createObjectURL(file) };
    $("h2", card).textContent = file.name;
    $(".remove", card).addEventListener("click", () => remove(job));
    $(".retry", card).addEventListener("click", () => wait(job));
    jobs.push(job);
    wait(job);
    return card;
  });
  $("#results").prepend(...cards);
}

function remove(job) {
  job.controller?.abort();
  URL.revokeObjectURL(job.url);
  jobs.splice(jobs.indexOf(job), 1);
  job.card.remove();
  announce(`${job.file.name} removed`);
  $("#files").focus();
  offerAgain();
}

function wait(job) {
  job.models = chosen();
  say(job, "waiting", "Waiting");
  next();
}

function next() {
  offerAgain();
  while (underway < AT_ONCE) {
    const job = jobs.find(({ state }) => state === "waiting");
    if (!job) return;
    underway += 1;
    ask(job).finally(() => { underway -= 1; next(); });
  }
}

async function ask(job) {
  const { file, card, models } = job;
  job.controller = new AbortController();
  say(job, "listening", "Listening");
  try {
    if (file.size > 1e6 * limits.megabytes) {
      throw new Refusal(`is larger than ${limits.megabytes} MB, the limit of --max-mb`, 413);
    }
    const query = new URLSearchParams({ models: models.join(","), name: file.name });
    const { signal } = job.controller;
    const response = await fetch(`/api/predict?${query}`, { method: "POST", body: file, signal });
    const found = await response.json();
    if (!response.ok) throw new Refusal(found.error, response.status);
    const summary = show(card, job, found);
    say(job, "heard", summary.length);
    announce(`${file.name}: ${summary.best}`);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Refusal || error instanceof TypeError)) throw error;
    const reason = error instanceof Refusal ? error.message : "the server can't be reached, or the file can't be read any more";
    const text = error.status < 500 ? `Can't be used: ${reason}.` : `Not heard: ${reason}.`;
    say(job, "failed", text);
    $(".retry", card).hidden = error.status < 500;
    announce(`${file.name}: ${text}`);
  }
}

class Refusal extends Error {
  constructor(reason, status) { super(reason); this.status = status; }
}

function say(job, state, text) {
  job.state = state;
  const place = $(".state", job.card);
  place.textContent = text;
  place.className = `state ${state}`;
  $(".retry", job.card).hidden = true;
}

function announce(text) { $("#status").textContent = text; }

/* Files that other models were asked about can be given to those that are chosen now. */
function offerAgain() {
  const now = chosen().join();
  $("#again").hidden = !jobs.some(({ state, models }) => state === "heard" && models.join() !== now);
}

$("#again").addEventListener("click", () => {
  const now = chosen().join();
  jobs.filter(({ state, models }) => state === "heard" && models.join() !== now).forEach(wait);
  $("#models input").focus();
});

$("#models").addEventListener("change", (event) => {
  if (!chosen().length) {
    event.target.checked = true;
    announce("At least one model is asked");
  }
  offerAgain();
});

const drop = $("#drop");
for (const name of ["dragenter", "dragover"]) {
  addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
for (const name of ["dragleave", "drop"]) {
  addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
}
addEventListener("drop", (event) => add(event.dataTransfer.files));
$("#files").addEventListener("change", (event) => { add(event.target.files); event.target.value = ""; });
$("#ask").addEventListener("submit", (event) => event.preventDefault());
await begin();
