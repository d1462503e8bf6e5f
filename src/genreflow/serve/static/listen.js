// Player, playhead and lanes go in step.

import { $, clock } from "./words.js";

/* Prepare a card's player; return how to seek, and how to follow it. */
export function listen(card, job) {
  const audio = $("audio", card);
  const slider = $(".picture input", card);
  const head = $(".playhead", card);
  let [seconds, lanes] = [1, []];

  const move = (time) => {
    head.style.left = `${100 * Math.min(1, time / seconds)}%`;
    slider.value = time;
    const genres = lanes.map(({ at }) => at(time));
    slider.setAttribute("aria-valuetext", [clock(time), ...genres].join("; "));
  };
  const seek = (time) => {
    const to = Math.max(0, Math.min(seconds, time));
    audio.currentTime = to;
    move(to);
  };
  const step = () => {
    move(audio.currentTime);
    if (!audio.paused && !audio.ended) requestAnimationFrame(step);
  };

  audio.src = job.url;
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    step();
  });
  audio.addEventListener("seeked", () => move(audio.currentTime));
  audio.addEventListener("error", () => borrow(card, job), { once: true });
  slider.addEventListener("input", () => seek(Number(slider.value)));
  slider.addEventListener("keydown", (event) => {
    const far = seconds > 120 ? 5 : 1;
    const by = { ArrowLeft: -far, ArrowDown: -far, ArrowRight: far, ArrowUp: far, PageDown: -10 * far, PageUp: 10 * far }[event.key];
    if (by !== undefined) seek(Number(slider.value) + by);
    else if (event.key === " ") audio.paused ? audio.play() : audio.pause();
    else return;
    event.preventDefault();
  });

  const follow = (length, shown) => {
    [seconds, lanes] = [length, shown];
    slider.max = seconds;
    move(audio.currentTime);
  };
  return { seek, follow };
}

/* Play what the model hears, where the browser can't play the file. */
async function borrow(card, job) {
  const audio = $("audio", card);
  const note = $(".playing", card);
  note.hidden = false;
  note.textContent = "This browser can't play this kind of file. Fetching what the model hears…";
  try {
    const query = new URLSearchParams({ models: job.models[0], name: job.file.name });
    const response = await fetch(`/api/listen?${query}`, { method: "POST", body: job.file });
    if (!response.ok) throw new TypeError(response.statusText);
    URL.revokeObjectURL(job.url);
    job.url = URL.createObjectURL(await response.blob());
    const time = audio.currentTime;
    audio.src = job.url;
    audio.currentTime = time;
    note.textContent = "This browser can't play this kind of file: you hear what the model hears.";
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    audio.hidden = true;
    note.textContent = "This browser can't play this kind of file; the picture works all the same.";
  }
}
