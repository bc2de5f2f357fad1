// The page of srlm annotate. All that models wrote is set as text, never as HTML. A vote counts when the server has
// said that it is written; only then the next pair is shown.
"use strict";

const part = (id) => document.getElementById(id);
// By what is typed, and by where the key lies: a French keyboard has its digits with Shift.
const KEYS = { 1: "left", 2: "right", 3: "tie", Digit1: "left", Digit2: "right", Digit3: "tie" };
const GONE =
  "srlm annotate does not answer, so this vote is not counted yet. Start the command again and open the address that " +
  "it prints: all votes before this one are kept.";

let annotator = null;
let pairs = [];
let place = 0; // of the pair that is shown; pairs.length when all are done
let waiting = false;

async function post(path, body) {
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Srlm-Key": location.hash.slice(1) },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Error(GONE);
  }
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.problem);
  return answer;
}

// Run one request at a time: a key that is pressed while a vote is on its way is not a vote on the pair after it.
async function once(work) {
  if (waiting) return;
  waiting = true;
  document.body.ariaBusy = "true";
  try {
    await work();
    part("problem").hidden = true;
  } catch (error) {
    part("problem").textContent = error.message;
    part("problem").hidden = false;
  } finally {
    waiting = false;
    document.body.ariaBusy = "false";
  }
}

function begin(name) {
  return once(async () => {
    const answer = await post("pairs", { annotator: name });
    part("begin").hidden = answer.annotator !== null;
    if (answer.annotator === null) {
      part("name").focus();
      return;
    }
    annotator = answer.annotator;
    pairs = answer.pairs;
    place = open(0);
    part("who").textContent = annotator;
    show();
  });
}

// The first pair without a vote from `start` on, then from the beginning.
function open(start) {
  const order = pairs.map((_, step) => (start + step) % pairs.length);
  return order.find((one) => pairs[one].choice === null) ?? pairs.length;
}

function vote(choice) {
  if (place >= pairs.length) return;
  once(async () => {
    const pair = pairs[place];
    await post("vote", { annotator, pair: pair.id, choice });
    pair.choice = choice;
    place = open(place);
    show();
  });
}

function move(steps) {
  if (waiting || !pairs.length) return;
  place = Math.min(Math.max(place + steps, 0), pairs.length);
  if (place === pairs.length) place = open(0);
  show();
}

function write(id, text) {
  const box = part(id);
  box.textContent = text === "" ? "(no text at all)" : text;
  box.classList.toggle("empty", text === "");
  box.scrollTop = 0;
}

function show() {
  const done = place === pairs.length;
  const counted = pairs.filter((one) => one.choice !== null).length;
  for (const id of ["pair", "votes", "moves"]) part(id).hidden = done;
  part("done").hidden = !done;
  part("progress").textContent = done ? `${counted} of ${pairs.length}` : `${place + 1} of ${pairs.length}`;
  part("bar").firstElementChild.style.width = `${(100 * counted) / pairs.length}%`;
  if (done) {
    part("sum").textContent = `You compared ${counted} pairs.`;
    part("done").querySelector("h2").focus();
    return;
  }
  const pair = pairs[place];
  write("instruction", pair.instruction);
  write("left", pair.left);
  write("right", pair.right);
  for (const side of ["left", "right"]) part(side).parentElement.classList.toggle("chosen", pair.choice === side);
  for (const button of part("votes").children) button.ariaPressed = String(button.dataset.choice === pair.choice);
  part("back").disabled = place === 0;
  part("next").disabled = pair.choice === null;
  if (document.activeElement !== document.body) document.activeElement.blur();
  window.scrollTo(0, 0);
}

// Arrows scroll both answers, unless one of the boxes has the focus and scrolls by itself.
function scroll(key) {
  const steps = { ArrowDown: 0.15, ArrowUp: -0.15, PageDown: 0.9, PageUp: -0.9 };
  if (!(key in steps) || document.activeElement !== document.body) return;
  for (const side of ["left", "right"]) part(side).scrollBy({ top: steps[key] * part(side).clientHeight });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target === part("name") || !pairs.length) return;
  if (event.repeat) return void scroll(event.key);
  const choice = KEYS[event.key] ?? KEYS[event.code];
  if (choice) vote(choice);
  else if (event.key === "u" || event.key === "U") move(-1);
  else if ((event.key === "n" || event.key === "N") && !part("next").disabled) move(1);
  else scroll(event.key);
});
for (const button of part("votes").children) button.addEventListener("click", () => vote(button.dataset.choice));
part("back").addEventListener("click", () => move(-1));
part("again").addEventListener("click", () => move(-1));
part("next").addEventListener("click", () => move(1));
part("begin").addEventListener("submit", (event) => {
  event.preventDefault();
  begin(part("name").value);
});
begin(null);
