// The page: what comes in goes to its parts, what people do goes out.

import { BirdsEye } from "./birds_eye.js";
import { Chart } from "./chart.js";
import { Connection } from "./connection.js";
import { Diagnostics } from "./diagnostics.js";
import { element, Legend } from "./legend.js";
import { Screen } from "./screen.js";

// The token is in a cookie from now on, and not for those who look over a shoulder.
if (location.search) history.replaceState(null, "", location.pathname + location.hash);

const OLD = 3000; // milliseconds after which a picture is no longer the present
const SHARES_PERIOD = 250; // milliseconds between two updates of the shares, which people can read

const at = (id) => document.getElementById(id);
const screen = new Screen(at("screen"), at("image"), at("colors"));
const legend = new Legend(at("legend"), at("no-classes"), () => screen.setPalette(legend.palette()));
const diagnostics = new Diagnostics(at("diagnostics"), at("no-diagnostics"));
const birdsEye = new BirdsEye(at("birds-eye"), at("no-free-space"));
const charts = { latency: new Chart(at("latency"), 0), rate: new Chart(at("rate"), 1) };

let cameras = {}; // by image topic, as the viewer's state has them
let camera = null; // the one that is shown
let wanted = named(location.hash.slice(1)); // the one that was chosen, if it is there
let watched = ""; // what the viewer was asked for
let connected = false;
let paused = false;
let waiting = null; // a picture that came while another was decoded
let drawing = false;
let newest = 0; // number of the newest picture that came
let drawnAt = 0;
let sharesAt = 0;
let chartedAt = 0;
let served = null; // the viewer's version
let trouble = ""; // what the last request or picture failed with
let troubleTimer;

const connection = new Connection("pictures", {
  open() {
    connected = true;
    newest = 0;
    watched = "";
    tell();
  },
  text(message) {
    if (message.type === "hello") greet(message);
    else if (message.type === "state") update(message.cameras);
    else if (message.type === "scan") {
      if (message.camera === camera && !paused) birdsEye.draw(message);
    } else if (message.type === "error") complain(`The viewer refused: ${message.text}`);
  },
  binary(header, parts) {
    if (header.type === "image") saveExactImage(header.frame, parts);
    else receive(header, parts);
  },
  lost(reason, delay) {
    connected = false;
    cameras = {};
    saving.clear();
    tell(`${reason || "No connection to the viewer."} Trying again in ${(delay / 1000).toFixed(1)} s…`);
  },
});

function greet({ version, local }) {
  if (served !== null && served !== version) location.reload();
  served = version;
  at("network").hidden = local;
}

// Cameras

function update(state) {
  cameras = state;
  const names = Object.keys(cameras);
  showChooser(names);
  // While cameras are missing, as after the viewer went away, the picture stays.
  const [next] = [wanted, camera, ...names].filter((name) => names.includes(name));
  if (next !== undefined && next !== camera) show(next);
  watch();
  const shown = cameras[camera];
  if (shown?.watched) {
    if (performance.now() - chartedAt > 900) {
      chartedAt = performance.now();
      charts.latency.add(shown.latency_ms);
      charts.rate.add(shown.rate);
    }
    diagnostics.update(shown.diagnostics);
    showShares();
  }
  tell();
}

function named(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return ""; // an address that somebody typed
  }
}

function showChooser(names) {
  const chooser = at("camera");
  const options = [...chooser.options].map(({ value }) => value);
  if (options.join("\n") !== names.join("\n")) {
    chooser.replaceChildren(...names.map((name) => new Option(name, name, false, name === camera)));
  }
  at("chooser").hidden = names.length < 2;
  at("only-camera").hidden = names.length !== 1;
  at("only-camera").textContent = names[0] ?? "";
}

function choose(name) {
  wanted = name;
  history.replaceState(null, "", `#${encodeURI(name)}`);
  show(name);
}

function show(name) {
  camera = name;
  at("camera").value = name;
  pause(false);
  screen.clear();
  birdsEye.clear();
  charts.latency.clear();
  charts.rate.clear();
  diagnostics.update([]);
  enableSaving();
  watch();
}

// A hidden page costs the robot nothing.
function watch() {
  const next = document.hidden || !(camera in cameras) ? null : camera;
  const wish = { type: "watch", camera: next, scan: at("free-space").open };
  const text = JSON.stringify(wish);
  if (text !== watched && connection.send(wish)) watched = text;
}

// Pictures

function receive(header, parts) {
  newest = header.frame;
  if (paused || header.camera !== camera) return;
  waiting = [header, parts];
  if (!drawing) draw();
}

async function draw() {
  drawing = true;
  while (waiting) {
    const [header, parts] = waiting;
    waiting = null;
    try {
      await screen.show(header, parts);
      drawnAt = performance.now();
      enableSaving();
      if (drawnAt - sharesAt > SHARES_PERIOD) showShares();
      at("age").hidden = true;
      at("screen").classList.remove("old");
      if (!connected || at("status").textContent === "Waiting") tell();
    } catch (error) {
      complain(`This browser cannot show a picture of ${header.camera}: ${error.message}`);
    }
    if (!paused) connection.send({ type: "drawn", frame: header.frame });
  }
  drawing = false;
}

function showShares() {
  const classes = cameras[camera]?.classes;
  if (!classes) return; // not known yet
  sharesAt = performance.now();
  legend.update(classes, screen.picture?.shares ?? {});
}

function pause(on) {
  paused = on;
  at("pause").textContent = on ? "Go on" : "Pause";
  at("pause").setAttribute("aria-pressed", on);
  if (!on) connection.send({ type: "drawn", frame: newest });
  tell();
}

// Saving

const saving = new Map(); // by the picture whose image was asked for, the name of its file

function enableSaving() {
  const picture = screen.picture;
  at("pause").disabled = !picture;
  at("save-image").disabled = !picture?.hasImage;
  at("save-label").disabled = !picture?.labels;
  at("save-overlay").disabled = !picture?.labels;
}

async function saveImage() {
  const name = fileName();
  const { frame } = screen.picture;
  if (connection.send({ type: "image", frame })) saving.set(frame, name);
  else save(await screen.lossyImage(), "image", name);
}

function saveExactImage(frame, parts) {
  if (saving.has(frame)) save(new Blob(parts, { type: "image/png" }), "image", saving.get(frame));
  saving.delete(frame);
}

async function saveOverlay() {
  const name = fileName();
  save(await screen.overlay(), "overlay", name);
}

function fileName() {
  const [seconds, nanoseconds] = screen.picture.stamp;
  const name = screen.picture.camera.replace(/[^A-Za-z0-9]+/g, "_").replace(/^_/, "");
  return `${name}_${seconds}.${String(nanoseconds).padStart(9, "0")}`;
}

function save(blob, kind, name) {
  const link = element("a");
  link.href = URL.createObjectURL(blob);
  link.download = `${name}_${kind}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// Words

function complain(text) {
  trouble = text;
  clearTimeout(troubleTimer);
  troubleTimer = setTimeout(() => {
    trouble = "";
    tell();
  }, 8000);
  tell();
}

function tell(lost = "") {
  const notices = [];
  if (lost) notices.push([lost, "error"]);
  if (trouble) notices.push([trouble, "error"]);
  if (connected && !Object.keys(cameras).length) {
    notices.push(["Waiting for a segmentation node: no topic …/segmentation/label is published.", ""]);
  }
  for (const note of cameras[camera]?.notes ?? []) notices.push([note, ""]);
  const list = at("notices");
  const present = [...list.children].map(({ textContent }) => textContent);
  if (present.join("\n") !== notices.map(([text]) => text).join("\n")) {
    list.replaceChildren(
      ...notices.map(([text, kind]) => {
        const item = element("li", kind);
        item.textContent = text;
        return item;
      }),
    );
  }
  const live = drawnAt && performance.now() - drawnAt < OLD && screen.picture;
  const [word, level] = !connected
    ? ["Not connected", "error"]
    : paused
      ? ["Paused", "warn"]
      : live
        ? ["Live", "ok"]
        : ["Waiting", "warn"];
  const status = at("status");
  if (status.textContent !== word) status.textContent = word;
  status.dataset.level = level;
}

setInterval(() => {
  if (!screen.picture) return;
  const age = performance.now() - drawnAt;
  at("age").hidden = age < OLD;
  at("age").textContent = `${paused ? "paused" : "last picture"} ${Math.round(age / 1000)} s ago`;
  at("screen").classList.toggle("old", age >= OLD && !paused);
  if (connected) tell();
}, 1000);

// What people do

function setOpacity(percent) {
  const value = Math.max(0, Math.min(100, Number(percent) || 0));
  at("opacity").value = value;
  at("opacity-value").textContent = `${value} %`;
  screen.setOpacity(value / 100);
  try {
    localStorage.setItem("hyperseg.opacity", value);
  } catch {
    // Storage is a convenience: some browsers refuse it.
  }
}

function recalledOpacity() {
  try {
    return localStorage.getItem("hyperseg.opacity") ?? 50;
  } catch {
    return 50;
  }
}

function showProbe({ clientX, clientY }) {
  const box = at("screen").getBoundingClientRect();
  const [x, y] = [clientX - box.left, clientY - box.top];
  const id = screen.classAt(x / box.width, y / box.height);
  const probe = at("probe");
  probe.hidden = id === null || Boolean(document.fullscreenElement);
  if (probe.hidden) return;
  probe.textContent = legend.name(id);
  probe.style.setProperty("--color", `rgb(${legend.color(id).join(" ")})`);
  const left = x > box.width / 2 ? x - probe.offsetWidth - 12 : x + 12;
  const top = y > box.height / 2 ? y - probe.offsetHeight - 12 : y + 12;
  probe.style.transform = `translate(${left}px, ${top}px)`;
}

function toggleFullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else at("screen").requestFullscreen?.();
}

const KEYS = {
  " ": () => at("pause").click(),
  "+": () => setOpacity(Number(at("opacity").value) + 10),
  "=": () => setOpacity(Number(at("opacity").value) + 10),
  "-": () => setOpacity(Number(at("opacity").value) - 10),
  a: () => legend.toggleAll(),
  c: nextCamera,
  f: toggleFullscreen,
  i: () => at("save-image").click(),
  l: () => at("save-label").click(),
  o: () => at("save-overlay").click(),
};

function nextCamera() {
  const names = Object.keys(cameras);
  if (names.length > 1) choose(names[(names.indexOf(camera) + 1) % names.length]);
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { target, key } = event;
  if (target.closest("select")) return;
  if (key === " " && target.closest("button, input, summary")) return;
  const act = KEYS[key.toLowerCase()];
  if (act) {
    event.preventDefault();
    act();
  }
});

at("free-space").addEventListener("toggle", () => {
  birdsEye.clear();
  watch();
});
at("camera").addEventListener("change", ({ target }) => choose(target.value));
at("opacity").addEventListener("input", ({ target }) => setOpacity(target.value));
at("pause").addEventListener("click", () => pause(!paused));
at("all").addEventListener("click", () => legend.switchAll(true));
at("none").addEventListener("click", () => legend.switchAll(false));
at("save-image").addEventListener("click", saveImage);
at("save-label").addEventListener("click", () => save(screen.picture.labelFile, "label", fileName()));
at("save-overlay").addEventListener("click", saveOverlay);
at("fullscreen").addEventListener("click", toggleFullscreen);
at("screen").addEventListener("pointermove", showProbe);
at("screen").addEventListener("pointerleave", () => {
  at("probe").hidden = true;
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) connection.retryNow();
  watch();
});
setOpacity(recalledOpacity());
