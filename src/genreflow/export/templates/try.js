const about = JSON.parse(document.getElementById("about").textContent);
const said = document.getElementById("said");
const table = document.getElementById("genres");

/** Return what was packed into the page: gzip, in base64. */
async function unpacked(id) {
  const element = document.getElementById(id);
  const bytes = Uint8Array.from(atob(element.textContent), (letter) => letter.charCodeAt(0));
  element.remove();
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** Return the runtime, and the model in it. */
async function start() {
  const script = new Blob([await unpacked("runtime-script")], { type: "text/javascript" });
  const ort = await import(URL.createObjectURL(script));
  ort.env.wasm.numThreads = 1; // more need headers that a file on a disk doesn't have
  ort.env.wasm.wasmBinary = await unpacked("runtime-wasm");
  return { ort, session: await ort.InferenceSession.create(await unpacked("model")) };
}

/** Return the file's samples, mono at the model's rate. */
async function decoded(file) {
  const context = new OfflineAudioContext(1, 1, about.sample_rate);
  const sound = await context.decodeAudioData(await file.arrayBuffer());
  const mono = new Float32Array(sound.length);
  for (let channel = 0; channel < sound.numberOfChannels; channel += 1) {
    const samples = sound.getChannelData(channel);
    for (let i = 0; i < mono.length; i += 1) mono[i] += samples[i] / sound.numberOfChannels;
  }
  return mono;
}

function isSilent(samples) {
  let [lowest, highest] = [Infinity, -Infinity];
  for (const sample of samples) {
    if (sample < lowest) lowest = sample;
    if (sample > highest) highest = sample;
  }
  return (highest - lowest) / 2 < 10 ** (about.silence_db / 20);
}

/** Return the mean of the stretches' probabilities by their length; null where all are silent. */
async function judged({ ort, session }, samples) {
  const length = Math.round(about.stretch_seconds * about.sample_rate);
  const total = new Array(about.genres.length).fill(0);
  let heard = 0;
  for (let begin = 0; begin < samples.length; begin += length) {
    const stretch = samples.slice(begin, begin + length);
    if (begin && stretch.length < about.min_seconds * about.sample_rate) break;
    if (isSilent(stretch)) continue;
    said.textContent = `Listening: ${Math.round((100 * begin) / samples.length)} %`;
    await new Promise((resolve) => setTimeout(resolve));
    const input = new ort.Tensor("float32", stretch, [stretch.length]);
    const { probabilities } = await session.run({ samples: input }, ["probabilities"]);
    probabilities.data.forEach((probability, i) => { total[i] += probability * stretch.length; });
    heard += stretch.length;
  }
  return heard ? total.map((sum) => sum / heard) : null;
}

function show(probabilities) {
  const order = about.genres.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]);
  table.tBodies[0].replaceChildren(...order.map((i) => {
    const row = document.createElement("tr");
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = about.genres[i];
    const bar = document.createElement("span");
    bar.className = "bar";
    bar.style.width = `${100 * probabilities[i]}%`;
    row.append(name);
    row.insertCell().append(bar);
    row.insertCell().textContent = `${(100 * probabilities[i]).toFixed(1)} %`;
    row.dataset.probability = probabilities[i];
    return row;
  }));
  table.hidden = false;
  return about.genres[order[0]];
}

const started = start();
let latest = 0;

async function hear(file) {
  const mine = ++latest;
  const tell = (text) => { if (mine === latest) said.textContent = text; };
  table.hidden = true;
  tell("Decoding …");
  try {
    const samples = await decoded(file).catch(() => {
      throw new Error("your browser can't decode it; try MP3, WAV, FLAC or Ogg");
    });
    if (samples.length < about.min_seconds * about.sample_rate) {
      throw new Error(`it is too short; expected at least ${about.min_seconds} s`);
    }
    const probabilities = await judged(await started, samples);
    if (!probabilities) throw new Error("it is silent");
    if (mine === latest) tell(`${file.name}: ${show(probabilities)}`);
  } catch (error) {
    tell(`${file.name}: ${error.message ?? error}`);
  }
}

const drop = document.getElementById("drop");
document.getElementById("file").addEventListener("change", ({ target }) => {
  if (target.files.length) hear(target.files[0]);
});
for (const name of ["dragover", "dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) hear(event.dataTransfer.files[0]);
  });
}
started.then(
  () => { if (!latest) said.textContent = "Ready."; },
  (error) => { said.textContent = `This browser can't run the model: ${error.message ?? error}`; },
);
