// The page of `pas serve --page`. All text goes in by textContent: nothing that a model writes becomes markup.
import { REASONS } from "./reasons.js";

const at = (id) => document.getElementById(id);
let running = new AbortController();

// 1) Server-sent events over fetch: EventSource can neither POST nor send headers.

async function* events(response) {
  let rest = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    rest += value ?? "";
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of done && rest.trim() ? [...blocks, rest] : blocks) {
      const lines = block.split(/\r?\n/);
      const field = (name) => lines.filter((l) => l.startsWith(name + ":")).map((l) => l.slice(name.length + 1).trim());
      yield { name: field("event")[0] ?? "message", data: field("data").join("\n") };
    }
    if (done) return;
  }
}

async function post(path, body, headers = {}) {
  const key = at("key").value.trim();
  const own = key ? { authorization: `Bearer ${key}` } : {};
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...own, ...headers },
    body: JSON.stringify(body),
    signal: running.signal,
  });
  if (!response.ok) throw new Error(`${response.status}: ${await failure(response)}`);
  return response;
}

async function failure(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).error.message ?? text;
  } catch {
    return text.slice(0, 300) || response.statusText;
  }
}

// 2) The complement: provisional pieces, then the decision, which may take them back.

async function complement(prompt) {
  at("result").hidden = false;
  at("original").textContent = prompt;
  decide("", "thinking", "");
  at("facts").textContent = at("insertion").textContent = "";
  at("insertion").classList.add("writing");
  try {
    for await (const event of events(await post("/v1/complement", { prompt, stream: true }))) {
      const data = JSON.parse(event.data);
      if (event.name === "piece") at("insertion").textContent = (at("insertion").textContent || "\n\n") + data.text;
      if (event.name === "done") decided(prompt, data);
      if (event.name === "error") decide("failed", "failed", REASONS[data.reason] ?? data.reason);
    }
  } catch (error) {
    decide("failed", stopped(error) ? "stopped" : "failed", "");
    throw error;
  } finally {
    at("insertion").classList.remove("writing");
  }
}

function decided(prompt, result) {
  at("insertion").textContent = result.text.slice(prompt.length);
  decide(result.status, result.status, REASONS[result.reason] ?? result.reason);
  const facts = [result.reason, `${result.elapsed_ms.toFixed(1)} ms`, result.model];
  if (result.proposed && result.status !== "applied") facts.unshift(`It proposed: “${result.proposed}”`);
  at("facts").textContent = facts.filter(Boolean).join(" · ");
}

function decide(kind, status, reason) {
  at("status").className = `badge ${kind}`;
  at("status").textContent = status;
  at("reason").textContent = reason;
}

// 3) The answers: the same chat completion twice, once with `x-pas: off`.

async function answer(side, prompt, headers) {
  const [facts, text] = [".facts", ".answer"].map((part) => document.querySelector(`[data-side=${side}] ${part}`));
  const body = { model: at("model").value.trim(), messages: [{ role: "user", content: prompt }], stream: true };
  const started = performance.now();
  text.className = "answer writing";
  text.textContent = facts.textContent = "";
  try {
    const response = await post("/v1/chat/completions", body, headers);
    for await (const piece of pieces(response)) text.textContent += piece;
    const words = text.textContent.split(/\s+/).filter(Boolean).length;
    const status = side === "with" ? `${response.headers.get("x-pas-status") ?? "unchanged"} · ` : "";
    facts.textContent = `${status}${words} words · ${((performance.now() - started) / 1000).toFixed(1)} s`;
  } catch (error) {
    if (stopped(error)) facts.textContent = "stopped";
    else fail(text, error);
  } finally {
    text.classList.remove("writing");
  }
}

function fail(text, error) {
  text.classList.add("failed");
  text.textContent = `The upstream did not answer. ${error.message}`;
}

async function* pieces(response) {
  if (!(response.headers.get("content-type") ?? "").startsWith("text/event-stream")) {
    yield (await response.json()).choices[0].message.content; // an upstream that does not stream
    return;
  }
  for await (const { data } of events(response)) {
    if (data === "[DONE]") return;
    const chunk = data ? JSON.parse(data) : {};
    if (chunk.error) throw new Error(chunk.error.message);
    yield chunk.choices?.[0]?.delta?.content ?? "";
  }
}

// 4) What people do.

const stopped = (error) => error.name === "AbortError";

async function run(compare) {
  running.abort();
  const mine = (running = new AbortController());
  const prompt = at("prompt").value;
  at("problem").hidden = true;
  if (!at("ask").reportValidity()) return;
  if (compare && !at("model").value.trim()) {
    at("access").open = true;
    at("model").focus();
    return report("Name a model of the upstream first.");
  }
  at("answers").hidden = !compare;
  at("stop").hidden = false;
  const jobs = [complement(prompt)];
  if (compare) jobs.push(answer("without", prompt, { "x-pas": "off" }), answer("with", prompt, {}));
  const [first] = await Promise.allSettled(jobs);
  if (mine !== running) return; // another run has begun
  at("stop").hidden = true;
  if (first.reason && !stopped(first.reason)) report(`No complement. ${first.reason.message}`);
}

function report(text) {
  at("problem").textContent = text;
  at("problem").hidden = false;
}

async function look() {
  const response = await fetch("/readyz").catch(() => null);
  const state = response ? await response.json() : { ready: false };
  at("model-state").className = state.ready ? "ready" : "";
  at("model-state").textContent = state.ready ? state.model : response ? "The model is being loaded …" : "No proxy here.";
  if (!state.ready) setTimeout(look, 1000);
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  run(false);
});
at("compare").addEventListener("click", () => run(true));
at("stop").addEventListener("click", () => running.abort());
for (const example of document.querySelectorAll(".examples button")) {
  example.addEventListener("click", () => {
    at("prompt").value = example.textContent;
    run(false);
  });
}
addEventListener("keydown", (event) => {
  if (event.key === "Escape") running.abort();
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run(event.shiftKey);
  }
});
look();
