// Small things that all parts of the page share.

export const $ = (selector, root = document) => root.querySelector(selector);

/* Make an element; text is text, whatever a file is called. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

export const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

export function clock(seconds) {
  const whole = Math.floor(seconds + 0.01);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (number) => String(number).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/* Genres with their probabilities, the most probable first. */
export function ranked(genres, probabilities) {
  return genres.map((genre, i) => [genre, probabilities[i]]).sort((a, b) => b[1] - a[1]);
}

const COLOURS = 12;

const numbers = new Map();

/* The class of a genre's colour, whichever model says it; after the last, they come again with stripes. */
export function colour(genre) {
  if (!numbers.has(genre)) numbers.set(genre, numbers.size);
  const number = numbers.get(genre);
  return `c${number % COLOURS}${number >= COLOURS ? " striped" : ""}`;
}
