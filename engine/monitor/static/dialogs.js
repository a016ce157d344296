// Everything that asks before it acts: pause, resume, kill, unkill. The answer streams into the dialog.

import { $, hide, make, mark, say } from "./dom.js";
import { isPaused } from "./header.js";
import { Refusal, command, preview } from "./server.js";
import { isReplay, state } from "./state.js";
import { plural } from "./words.js";

const ASKED = {
  pause: { title: "Pause entries?", text: "No new entry is approved until you resume. Working orders, stops and exits go on.", go: "Pause" },
  resume: { title: "Resume entries?", text: "Entries are judged by the rules again. A kill, if one stands, is not released by this.", go: "Resume" },
  kill: { title: "Kill", text: "It is kept over restarts and holds until unkill. Each level does what the one before it does, and more.", go: "Kill" },
  unkill: { title: "Release the kill?", text: "Entries become possible again where nothing else blocks them.", go: "Unkill" },
};
const OF_REPLAY = {
  pause: { title: "Hold the replay?", text: "It waits before its next fact until you let it go on. Nothing that it decides changes.", go: "Hold" },
  resume: { title: "Let the replay go on?", text: "Its next fact comes at once.", go: "Go on" },
};
const CONFIRMED = new Set(["kill", "unkill"]);
const REPORTED = new Set(["Cancelled", "Fill", "Rejected", "Expired"]);

let name = "";
let isSent = false;
let counted = "";

export function begin() {
  $("pause").addEventListener("click", () => open(isPaused() ? "resume" : "pause"));
  $("kill").addEventListener("click", () => open("kill"));
  $("unkill").addEventListener("click", () => open("unkill"));
  $("ask-cancel").addEventListener("click", () => $("ask").close());
  $("ask-form").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  $("ask-form").addEventListener("input", ready);
  $("about-open").addEventListener("click", () => $("about").showModal());
  for (const node of document.querySelectorAll("[data-close]")) node.addEventListener("click", () => node.closest("dialog").close());
}

const isLive = () => state.mode === "live";
const level = () => new FormData($("ask-form")).get("level");

function open(wanted) {
  name = wanted;
  isSent = false;
  const { title, text, go } = (isReplay() && OF_REPLAY[name]) || ASKED[name];
  $("ask-form").reset();
  $("ask-result").replaceChildren();
  say($("ask-title"), title);
  say($("ask-text"), text);
  say($("ask-go"), go);
  say($("ask-cancel"), "Cancel");
  mark($("ask"), "data-name", name);
  hide($("ask-go"), false);
  hide($("ask-levels"), name !== "kill");
  hide($("ask-confirm-label"), !(isLive() && CONFIRMED.has(name)));
  for (const node of $("ask-form").querySelectorAll("input")) node.disabled = false;
  $("ask-reason").required = name === "kill" || name === "unkill";
  $("ask-reason").placeholder = $("ask-reason").required ? "required, goes onto the tape" : "optional";
  ready();
  $("ask").showModal();
  (name === "kill" ? $("ask-levels").querySelector("input") : $("ask-reason")).focus();
  if (name === "kill") for (const one of ["entries", "cancel", "flatten"]) foresee(one);
}

/** What a level would do now, in the server's words; else counted from what is known here. */
async function foresee(argument) {
  const node = $(`preview-${argument}`);
  const entries = (state.status?.orders ?? []).filter((one) => one.role === "ENTRY").length;
  const here = { entries: "nothing is cancelled or closed", cancel: `cancels ${plural(entries, "working entry", "working entries")}`, flatten: `cancels ${plural(entries, "working entry", "working entries")}, closes ${plural(state.status?.position_count ?? 0, "position")}` };
  say(node, here[argument]);
  const found = await preview("kill", argument);
  if (found?.text) say(node, found.text);
}

function ready() {
  const isComplete = (!$("ask-reason").required || $("ask-reason").value.trim()) && ($("ask-confirm-label").hidden || $("ask-confirm").value.trim().length === 4);
  $("ask-go").disabled = !isComplete || isSent;
  mark($("ask-go"), "class", name === "kill" ? "danger" : "primary");
}

async function send() {
  if (isSent || $("ask-go").disabled) return;
  isSent = true;
  ready();
  const wanted = { argument: name === "kill" ? level() : "", reason: $("ask-reason").value.trim(), confirm: $("ask-confirm").value.trim() };
  for (const node of $("ask-form").querySelectorAll("input")) node.disabled = true;
  tell("sent", "flat");
  try {
    const { code, message, sequence } = await command(name, wanted);
    if (code === 0) done(`${message || "done"}${sequence ? ` (fact ${sequence})` : ""}`);
    else again(message || `refused with ${code}`);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    again(error.message);
  }
}

function done(message) {
  tell(message, "good");
  hide($("ask-go"), true);
  say($("ask-cancel"), "Close");
  $("ask-cancel").focus();
  counted = "";
  progress();
}

function again(message) {
  tell(message, "bad");
  isSent = false;
  for (const node of $("ask-form").querySelectorAll("input")) node.disabled = false;
  ready();
}

function tell(text, tone) {
  $("ask-result").append(make("li", { "data-tone": tone }, text));
  $("ask-result").scrollTop = $("ask-result").scrollHeight;
}

/** What becomes of a command that was accepted: reports as they come, and what is left. */
export function heard(topic, data) {
  if (!isSent || !$("ask").open) return;
  if (topic === "execution" && name === "kill" && REPORTED.has(data.report)) tell(`${data.report.toLowerCase()}: ${data.symbol} ${data.order_id}`, data.report === "Rejected" ? "bad" : "flat");
  if (topic === "status") progress();
}

function progress() {
  const { status } = state;
  if (!status || name !== "kill") return;
  const words = `${plural(status.order_count, "working order")}, ${plural(status.position_count, "position")} left; kill ${status.kill_level || "not yet in force"}`;
  if (words !== counted) tell(words, status.kill_level ? "good" : "flat");
  counted = words;
}
