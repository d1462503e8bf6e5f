// What a card shows of a file that was heard.

import { lane, runs } from "./lane.js";
import { listen } from "./listen.js";
import { $, clock, colour, element, percent, ranked } from "./words.js";

const SHOWN = 3; // most probable genres

/* Fill a card; return how long the file is and what is most probable, in words. */
export function show(card, job, found) {
  job.player ??= listen(card, job);
  $(".answers", card).replaceChildren(...found.models.map(answer));
  const picture = $(".picture img", card);
  picture.src = found.spectrogram;
  picture.alt = `Mel spectrogram of ${job.file.name}, ${clock(found.seconds)} long, low frequencies at the bottom`;
  $(".ticks", card).replaceChildren(...found.ticks.map(([text, place]) => {
    const tick = element("span", { textContent: text });
    tick.style.bottom = `${100 * place}%`;
    return tick;
  }));
  const lanes = found.models.map((model) => lane(model, found.seconds, job.player.seek));
  $(".lanes", card).replaceChildren(...lanes.map(({ place }) => place));
  $(".axis", card).replaceChildren(...axis(found.seconds));
  $(".keys", card).replaceChildren(...keys(found.models));
  $("details .scroll", card).replaceChildren(table(found));
  $(".heard", card).hidden = false;
  job.player.follow(found.seconds, lanes);
  return { length: `${clock(found.seconds)} min`, best: found.models.map(best).join("; ") };
}

function best(model, _, models) {
  const [genre, share] = ranked(model.genres, model.probabilities)[0];
  return `${genre}, ${percent(share)}${models.length > 1 ? ` (${model.name})` : ""}`;
}

function answer(model) {
  const rows = ranked(model.genres, model.probabilities).slice(0, SHOWN).map(([genre, share]) => {
    const fill = element("i");
    fill.style.width = `${100 * share}%`;
    return element("li", {}, element("span", { textContent: genre, title: genre }),
      element("span", { className: "bar", ariaHidden: "true" }, fill), element("span", { textContent: percent(share) }));
  });
  return element("section", { className: "answer" }, element("h3", { textContent: model.name }), element("ol", {}, ...rows));
}

function axis(seconds) {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
  const step = steps.find((length) => seconds / length <= 6) ?? 7200;
  const marks = [];
  for (let time = 0; time <= seconds; time += step) {
    const mark = element("span", { textContent: clock(time) });
    mark.style.left = `${100 * time / seconds}%`;
    marks.push(mark);
  }
  return marks;
}

function keys(models) {
  const found = new Set(models.flatMap(runs).map(({ genre }) => genre).filter((genre) => genre !== null));
  const made = [...found].map((genre) =>
    element("span", {}, element("i", { className: colour(genre), ariaHidden: "true" }), genre));
  return [...made, element("span", { textContent: "Height: how sure, up to 100\u00a0%" })];
}

function table(found) {
  const head = ["from", "to", ...found.models.flatMap((model) => [model.name, "probability"])];
  const longest = found.models.reduce((a, b) => (b.parts.length > a.parts.length ? b : a));
  const rows = longest.parts.map(({ start, end }) => [
    clock(start), clock(end),
    ...found.models.flatMap((model) => {
      const part = model.parts.find((other) => other.start <= start + 0.01 && other.end > start + 0.01);
      if (!part) return ["", ""];
      if (part.probabilities === null) return ["silent", ""];
      const [genre, share] = ranked(model.genres, part.probabilities)[0];
      return [genre, percent(share)];
    }),
  ]);
  const cells = (name, values) => element("tr", {}, ...values.map((text) => element(name, { textContent: text })));
  return element("table", {}, element("thead", {}, cells("th", head)), element("tbody", {}, ...rows.map((row) => cells("td", row))));
}
