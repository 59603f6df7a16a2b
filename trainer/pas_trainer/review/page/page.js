// A mark goes into this browser's storage first, then to the server, and leaves the storage when the server has kept it.
"use strict";

const $ = (id) => document.getElementById(id);
const LETTERS = "ABCDEFGHI";
const REVIEWER = "pas-review:reviewer";
const state = { reviewer: "", review: null, task: null, active: 0, raw: false, done: new Set() };
let outbox = new Map();
const ahead = new Map(); // tasks fetched before they are needed
let sending = null;

async function call(path, options = {}) {
  const response = await fetch(path, options);
  if (!response.ok) throw Object.assign(new Error(await response.text()), { status: response.status });
  return response.json();
}

const address = (number) => `api/tasks/${number}?reviewer=${encodeURIComponent(state.reviewer)}`;

function alertUser(text) {
  $("alert").textContent = text;
  $("alert").hidden = !text;
}

// ---- marks ----

const box = () => `pas-review:${state.review.id}:outbox`;
const store = () => localStorage.setItem(box(), JSON.stringify([...outbox]));

function keep(number, body) {
  outbox.set(address(number), body);
  store();
  ahead.delete(number);
  return flush();
}

function flush() {
  sending ??= send().finally(() => (sending = null));
  return sending;
}

async function send() {
  while (outbox.size) {
    const [path, body] = outbox.entries().next().value;
    try {
      const headers = { "content-type": "application/json" };
      const { done } = await call(path, { method: "PUT", headers, body: JSON.stringify(body) });
      if (path.endsWith(`=${encodeURIComponent(state.reviewer)}`)) state.done = new Set(done);
      alertUser("");
    } catch (error) {
      if (error.status === 404 || error.status === 422) {
        alertUser(`The server refused a mark: ${error.message}`); // of another review at this address
      } else {
        const marks = outbox.size === 1 ? "1 mark is" : `${outbox.size} marks are`;
        alertUser(`The server does not answer. ${marks} kept in this browser and will be sent when it does.`);
        setTimeout(flush, 2000);
        return;
      }
    }
    if (outbox.get(path) === body) outbox.delete(path);
    store();
  }
  count();
}

async function give(value) {
  const { task } = state;
  if (!task) return;
  if (state.review.mode === "compare") {
    task.marks = [value];
  } else {
    task.marks[state.active] = value;
  }
  task.passed = false;
  const last = state.review.mode === "compare" || state.active === task.marks.length - 1;
  const full = task.marks.every((mark) => mark !== null);
  const saved = keep(task.number, { marks: [...task.marks] });
  if (full && last) {
    await onward(saved);
  } else {
    state.active = full ? state.active + 1 : task.marks.indexOf(null);
    showMarks(true);
  }
}

async function pass() {
  if (!state.task) return;
  state.task.passed = true;
  await onward(keep(state.task.number, { pass: true }));
}

// ---- moving ----

async function onward(saved) {
  const number = state.task.number;
  state.task = null; // a key pressed twice must not mark the next one unseen
  await saved;
  state.done.add(number);
  return show(following(number));
}

function following(number) {
  const { total } = state.review;
  for (let step = 1; step <= total; step += 1) {
    const next = ((number - 1 + step) % total) + 1;
    if (!state.done.has(next)) return next;
  }
  return null;
}

function fetchTask(number) {
  if (!ahead.has(number)) {
    const task = call(address(number));
    task.catch(() => ahead.delete(number));
    ahead.set(number, task);
  }
  return ahead.get(number);
}

async function show(number) {
  if (number === null) return finish();
  $("end").hidden = true;
  $("work").hidden = false;
  let task;
  try {
    task = await fetchTask(number);
  } catch (error) {
    alertUser(error.status ? error.message : "The server does not answer. This page goes on when it does.");
    setTimeout(() => show(number), 2000);
    return;
  }
  ahead.delete(number);
  if (!outbox.size) alertUser("");
  state.task = task;
  state.active = Math.max(0, task.marks.indexOf(null));
  location.replace(`#${number}`);
  $("category").textContent = task.category;
  $("prompt").textContent = task.prompt;
  $("answers").replaceChildren(...task.answers.map(card));
  $("back").disabled = number === 1;
  $("next").disabled = number === state.review.total;
  count();
  showMarks(false);
  window.scrollTo(0, 0);
  $("main").focus({ preventScroll: true });
  const next = following(number);
  if (next !== null && next !== number) fetchTask(next).catch(() => {});
}

function step(by) {
  const number = (state.task?.number ?? 0) + by;
  if (state.task && number >= 1 && number <= state.review.total) show(number);
}

function finish() {
  state.task = null;
  $("work").hidden = true;
  $("end").hidden = false;
  $("sum").textContent = `${state.reviewer}, you have gone through all ${state.review.total}. You can close this page.`;
  $("again").focus();
}

// ---- what is seen ----

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function card(answer, place) {
  const made = element("section", "answer");
  made.setAttribute("aria-label", `Answer ${LETTERS[place]}`);
  const head = element("div", "head");
  head.append(element("h2", "", `Answer ${LETTERS[place]}`), element("span", "mark"));
  const text = element("div", answer.text.trim() ? "text" : "text empty");
  made.append(head, text);
  made.addEventListener("click", () => {
    if (state.review.mode === "grade") {
      state.active = place;
      showMarks(false);
    }
  });
  fill(text, answer);
  return made;
}

function fill(text, answer) {
  text.classList.toggle("raw", state.raw);
  if (!answer.text.trim()) text.textContent = "(empty answer)";
  else if (state.raw) text.textContent = answer.text;
  else text.innerHTML = answer.html; // made by the server, without the HTML of the answer
  for (const link of text.querySelectorAll("a")) Object.assign(link, { target: "_blank", rel: "noopener noreferrer" });
}

function showMarks(scroll) {
  const { task, review, active } = state;
  const graded = review.mode === "grade";
  [...$("answers").children].forEach((made, place) => {
    const mark = task.marks[place];
    made.setAttribute("aria-current", graded && place === active);
    made.querySelector(".mark").textContent = graded && mark !== null ? `${mark} of ${review.scale}` : "";
    if (scroll && graded && place === active) made.scrollIntoView({ block: "nearest" });
  });
  const current = task.marks[graded ? active : 0];
  for (const button of $("choices").children) button.setAttribute("aria-pressed", Number(button.value) === current);
  $("pass").setAttribute("aria-pressed", task.passed);
  const best = `1 useless … ${review.scale} nothing to improve`;
  $("asked").textContent = graded ? `Answer ${LETTERS[active]}, ${best}` : "";
  $("choices").setAttribute("aria-label", graded ? `Grade of answer ${LETTERS[active]}` : "Which answer is better");
}

function count() {
  const { total } = state.review;
  $("bar").max = total;
  $("bar").value = state.done.size;
  $("count").textContent = `${state.task ? `No. ${state.task.number}, ` : ""}${state.done.size} of ${total} done`;
}

function toggleRaw() {
  state.raw = !state.raw;
  $("raw").setAttribute("aria-pressed", state.raw);
  const texts = $("answers").querySelectorAll(".text");
  if (state.task) state.task.answers.forEach((answer, place) => fill(texts[place], answer));
}

// ---- keys ----

function choices() {
  if (state.review.mode === "compare") {
    return [
      { value: 1, label: "A is better", key: "1" },
      { value: 0, label: "Equal", key: "0" },
      { value: -1, label: "B is better", key: "2" },
    ];
  }
  return Array.from({ length: state.review.scale }, (_, n) => ({ value: n + 1, label: "", key: String(n + 1) }));
}

function bindKeys() {
  const actions = new Map(choices().map(({ value, key }) => [key, () => give(value)]));
  const more = { a: 1, b: -1, t: 0 };
  if (state.review.mode === "compare") for (const [key, value] of Object.entries(more)) actions.set(key, () => give(value));
  const move = (by) => {
    if (!state.task || state.review.mode !== "grade") return;
    state.active = Math.min(Math.max(state.active + by, 0), state.task.marks.length - 1);
    showMarks(true);
  };
  for (const [key, action] of [
    ["arrowleft", () => step(-1)], ["arrowright", () => step(1)], ["arrowup", () => move(-1)], ["arrowdown", () => move(1)],
    ["s", pass], ["m", toggleRaw], ["?", () => $("help").showModal()],
  ]) actions.set(key, action);
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || $("help").open) return;
    if (!$("start").hidden || $("work").hidden) return;
    const scrolls = state.review.mode === "compare" && /^arrow(up|down)$/i.test(event.key);
    const action = actions.get(event.key.toLowerCase());
    if (!action || scrolls) return;
    event.preventDefault();
    action();
  });
}

function fillHelp() {
  const graded = state.review.mode === "grade";
  const rows = [
    ...(graded
      ? [[`1 – ${state.review.scale}`, "grade of the framed answer: 1 useless, " + `${state.review.scale} nothing to improve`], ["↑ ↓", "frame another answer"]]
      : [["1 or A", "answer A is better"], ["2 or B", "answer B is better"], ["0 or T", "equal"]]),
    ["S", "pass: cannot be judged"], ["← →", "the one before, the one after"], ["M", "plain text or formatted"],
  ];
  $("help-keys").replaceChildren(...rows.flatMap(([key, does]) => [element("dt", "", key), element("dd", "", does)]));
}

// ---- start ----

function controls() {
  $("choices").replaceChildren(
    ...choices().map(({ value, label, key }) => {
      const button = element("button", "", label ? `${label} ` : key);
      Object.assign(button, { type: "button", value: String(value) });
      if (label) button.append(element("kbd", "", key));
      button.addEventListener("click", () => give(value));
      return button;
    }),
  );
  for (const [id, does] of Object.entries({
    back: () => step(-1), next: () => step(1), pass, raw: toggleRaw, keys: () => $("help").showModal(), again: () => show(1),
    who: () => { localStorage.removeItem(REVIEWER); location.assign(location.pathname); },
  })) $(id).addEventListener("click", does);
}

async function begin(reviewer) {
  state.reviewer = reviewer;
  state.review = await call(`api/review?reviewer=${encodeURIComponent(reviewer)}`);
  localStorage.setItem(REVIEWER, reviewer);
  state.done = new Set(state.review.done);
  outbox = new Map(JSON.parse(localStorage.getItem(box()) || "[]"));
  $("start").hidden = true;
  $("work").hidden = false;
  $("who").textContent = reviewer;
  controls();
  fillHelp();
  bindKeys();
  await flush();
  const asked = Number(location.hash.slice(1));
  const { total } = state.review;
  await show(asked >= 1 && asked <= total && !state.done.has(asked) ? asked : following(total));
}

$("start").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = $("name").value.trim().replace(/\s+/g, " ");
  try {
    if (name) await begin(name);
  } catch (error) {
    $("name").setCustomValidity(error.status ? error.message : "The server does not answer.");
    $("name").reportValidity();
  }
});
$("name").addEventListener("input", () => $("name").setCustomValidity(""));

const known = localStorage.getItem(REVIEWER);
const ask = () => { $("start").hidden = false; $("name").focus(); };
if (known) begin(known).catch(ask);
else ask();
