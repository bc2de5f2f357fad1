// Samples on demand: unpacked in the browser, found by the facets in the address, shown some at a time.
// What a model wrote is inserted by textContent only.
"use strict";
(() => {
  const PAGE = 10;
  const LONG = 900;
  const PLAIN = ["suite", "category", "complexity", "length", "selection", "id"];
  const OF_TAG = ["model", "opponent", "outcome", "score", "turn"];
  const CHOSEN = ["suite", "category", "model", "outcome"];
  const GOOD = new Set(["win", "correct", "followed", "chosen", "as people"]);
  const BAD = new Set(["loss", "wrong", "not followed", "rejected", "the other way"]);
  const at = (id) => document.getElementById(id);
  const made = (tag, name, text) => {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    return element;
  };

  let texts = [];
  let lower = [];
  let samples = [];
  let hits = [];
  let shown = 0;
  let filters = new URLSearchParams();

  // --- colours and print ---------------------------------------------------------------------------------------------

  const themes = ["system", "light", "dark"];
  at("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const next = themes[(themes.indexOf(root.dataset.theme || "system") + 1) % themes.length];
    if (next === "system") delete root.dataset.theme;
    else root.dataset.theme = next;
    at("theme").textContent = `Colours: ${next}`;
    at("theme").setAttribute("aria-label", next === "system" ? "Colours: as in the system" : `Colours: ${next}`);
  });
  at("print").addEventListener("click", () => window.print());
  // On paper nothing can be opened: conclusions and notes are printed, tables as they are on the screen.
  let closed = [];
  window.addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll(".conclusions:not([open]), .notes:not([open])")];
    for (const one of closed) one.open = true;
  });
  window.addEventListener("afterprint", () => {
    for (const one of closed) one.open = false;
  });

  // --- the data ------------------------------------------------------------------------------------------------------

  async function opened() {
    const packed = atob(at("packed").textContent);
    const bytes = new Uint8Array(packed.length);
    for (let place = 0; place < packed.length; place++) bytes[place] = packed.charCodeAt(place);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  }

  const low = (number) => (lower[number] ??= texts[number].toLowerCase());

  // --- which samples -------------------------------------------------------------------------------------------------

  function fits(sample, wanted) {
    for (const [facet, values] of wanted.plain) if (!values.has(String(sample[facet]))) return false;
    if (wanted.flag && !sample.replies.some((reply) => reply.flags)) return false;
    if (wanted.tags.length && !sample.replies.some((reply) => hit(reply, wanted))) return false;
    if (wanted.words && !low(sample.prompt).includes(wanted.words)
      && !sample.replies.some((reply) => low(reply.text).includes(wanted.words))
      && !sample.id.toLowerCase().includes(wanted.words)) return false;
    return true;
  }

  function hit(reply, wanted) {
    if (wanted.tags.length === 1 && wanted.tags[0][0] === "model" && wanted.tags[0][1].has(reply.by)) return true;
    return reply.tags.some((tag) => wanted.tags.every(([facet, values]) => values.has(tag[facet] ?? "")));
  }

  function parsed() {
    const facets = (names) => names.filter((name) => filters.has(name)).map((name) => [name, new Set(filters.getAll(name))]);
    return {
      plain: facets(PLAIN),
      tags: facets(OF_TAG),
      flag: filters.has("flag"),
      words: (filters.get("q") || "").toLowerCase(),
    };
  }

  function find() {
    const wanted = parsed();
    hits = samples.filter((sample) => fits(sample, wanted));
    shown = 0;
    at("list").replaceChildren();
    const all = hits.length === samples.length ? "" : ` of ${samples.length.toLocaleString("en")}`;
    at("count").textContent = hits.length
      ? `${hits.length.toLocaleString("en")}${all} samples.`
      : "No sample matches all filters. The page has only a part of the samples of training and of large tasks.";
    active();
    choices();
    more();
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  function more() {
    const wanted = parsed();
    const next = hits.slice(shown, shown + PAGE);
    at("list").append(...next.map((sample) => drawn(sample, wanted)));
    shown += next.length;
    at("more").hidden = shown >= hits.length;
    at("more").textContent = `Show ${Math.min(PAGE, hits.length - shown)} more of ${(hits.length - shown).toLocaleString("en")}`;
  }

  function drawn(sample, wanted) {
    const article = made("article", "sample");
    const title = made("h3", "", sample.id);
    article.setAttribute("aria-label", `${sample.suite}: ${sample.id}`);
    const facts = [sample.suite];
    if (sample.category !== "no label") facts.push(sample.category);
    if (sample.complexity !== "no label") facts.push(`complexity ${sample.complexity}`);
    if (sample.length !== "no label") facts.push(`asks for ${sample.length}`);
    if (sample.selection) facts.push(sample.selection);
    const replies = made("div", "replies");
    replies.append(...sample.replies.map((reply) => card(reply, wanted)));
    const prompt = written(sample.prompt, [], wanted.words);
    prompt.classList.add("prompt");
    article.append(title, made("p", "facts", facts.join(" · ")), prompt, replies);
    return article;
  }

  function card(reply, wanted) {
    const box = made("div", wanted.tags.length && hit(reply, wanted) ? "reply hit" : "reply");
    box.append(made("h4", "", reply.by));
    const tags = reply.tags.filter((tag) => tag.outcome && !tag.hidden);
    if (tags.length) {
      const list = made("ul", "tags");
      for (const tag of tags) {
        const kind = GOOD.has(tag.outcome) ? "good" : BAD.has(tag.outcome) ? "bad" : "";
        const who = tag.model === reply.by ? "" : `${tag.model}: `;
        const whom = tag.opponent && tag.opponent !== "reference" ? ` against ${tag.opponent}` : "";
        list.append(made("li", kind, `${who}${tag.outcome}${whom}${tag.score ? `, ${tag.score}` : ""}`));
      }
      box.append(list);
    }
    if (reply.note) box.append(made("p", "note", reply.note));
    if (reply.thoughts !== undefined) box.append(thought(reply.thoughts));
    box.append(written(reply.text, reply.flags || [], wanted.words));
    if (reply.judgements.length) box.append(verdicts(reply.judgements));
    return box;
  }

  function verdicts(judgements) {
    const details = made("details");
    details.append(made("summary", "", judgements.length === 1 ? "1 verdict" : `${judgements.length} verdicts`));
    for (const [by, about, result, text, thoughts] of judgements) {
      const box = made("div", "judgement");
      box.append(made("p", "note", `${texts[by]}, ${texts[about]}: ${texts[result]}`));
      if (thoughts !== undefined) box.append(thought(thoughts));
      if (texts[text]) box.append(made("p", "text", texts[text]));
      details.append(box);
    }
    return details;
  }

  // The reasoning before an answer: folded, and no part of the answer.
  function thought(number) {
    const details = made("details", "thoughts");
    details.append(made("summary", "", `reasoning, ${texts[number].length.toLocaleString("en")} characters`));
    details.append(made("p", "text", texts[number]));
    return details;
  }

  // A text with its flagged places and the words that are searched for; a long one is folded.
  function written(number, flags, words) {
    const text = texts[number];
    const box = made("div");
    if (!text) {
      box.append(made("p", "empty", "(empty)"));
      return box;
    }
    const long = text.length > LONG;
    const body = made("p", long ? "text long" : "text");
    body.append(...marked(text, flags, words));
    box.append(body);
    if (long) {
      const button = made("button", "fold", `Show all ${text.length.toLocaleString("en")} characters`);
      button.type = "button";
      button.setAttribute("aria-expanded", "false");
      button.addEventListener("click", () => {
        const folded = body.classList.toggle("long");
        button.setAttribute("aria-expanded", String(!folded));
        button.textContent = folded ? `Show all ${text.length.toLocaleString("en")} characters` : "Show less";
      });
      box.append(button);
    }
    return box;
  }

  function marked(text, flags, words) {
    const spans = flags.map(([start, end, kind]) => ({ start, end, kind }));
    if (words) {
      const lowered = text.toLowerCase();
      for (let start = lowered.indexOf(words), n = 0; start >= 0 && n < 200; start = lowered.indexOf(words, start + words.length), n++)
        spans.push({ start, end: start + words.length });
    }
    spans.sort((one, two) => one.start - two.start || two.end - one.end);
    const pieces = [];
    let reached = 0;
    for (const { start, end, kind } of spans) {
      if (start < reached) continue;
      pieces.push(document.createTextNode(text.slice(reached, start)));
      const piece = made("mark", kind ? "flag" : "", text.slice(start, end));
      if (kind) {
        piece.dataset.kind = kind;
        piece.title = `suspected prompt injection: ${kind}`;
      }
      pieces.push(piece);
      reached = end;
    }
    pieces.push(document.createTextNode(text.slice(reached)));
    return pieces;
  }

  // --- what is chosen ------------------------------------------------------------------------------------------------

  function active() {
    const buttons = [];
    for (const name of [...PLAIN, ...OF_TAG]) {
      const values = filters.getAll(name);
      if (!values.length) continue;
      const button = made("button", "", `${name}: ${values.join(" or ")} ✕`);
      button.type = "button";
      button.setAttribute("aria-label", `Remove the filter ${name}: ${values.join(" or ")}`);
      button.addEventListener("click", () => {
        filters.delete(name);
        go();
        (at("active").querySelector("button") || at("words")).focus();
      });
      buttons.push(button);
    }
    if (buttons.length > 1) {
      const all = made("button", "", "Clear all");
      all.type = "button";
      all.addEventListener("click", () => {
        filters = new URLSearchParams();
        go();
        at("words").focus();
      });
      buttons.push(all);
    }
    at("active").replaceChildren(...buttons);
  }

  function choices() {
    for (const name of CHOSEN) {
      const select = at(`f-${name}`);
      const values = filters.getAll(name);
      select.value = values.length === 1 && [...select.options].some((one) => one.value === values[0]) ? values[0] : "";
    }
    at("f-flag").checked = filters.has("flag");
    if (document.activeElement !== at("words")) at("words").value = filters.get("q") || "";
  }

  function go() {
    const query = filters.toString();
    history.replaceState(null, "", query ? `#samples?${query}` : "#samples");
    find();
  }

  function arrive() {
    if (!location.hash.startsWith("#samples?")) return;
    filters = new URLSearchParams(location.hash.slice("#samples?".length));
    find();
    at("samples").scrollIntoView();
    at("samples-title").focus({ preventScroll: true });
  }

  function fill() {
    const known = Object.fromEntries(CHOSEN.map((name) => [name, new Set()]));
    for (const sample of samples) {
      known.suite.add(sample.suite);
      known.category.add(sample.category);
      for (const reply of sample.replies)
        for (const tag of reply.tags) {
          known.model.add(tag.model);
          known.outcome.add(tag.outcome);
        }
    }
    for (const name of CHOSEN) {
      const select = at(`f-${name}`);
      const every = made("option", "", "all");
      every.value = "";
      const options = [...known[name]].filter(Boolean);
      if (name !== "suite") options.sort((one, two) => one.localeCompare(two));
      select.append(every, ...options.map((value) => {
        const option = made("option", "", value);
        option.value = value;
        return option;
      }));
      select.addEventListener("change", () => {
        if (select.value) filters.set(name, select.value);
        else filters.delete(name);
        go();
      });
    }
    at("f-flag").addEventListener("change", () => {
      if (at("f-flag").checked) filters.set("flag", "any");
      else filters.delete("flag");
      go();
    });
    let waiting = 0;
    at("words").addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => {
        if (at("words").value) filters.set("q", at("words").value);
        else filters.delete("q");
        go();
      }, 150);
    });
    at("filters").addEventListener("submit", (event) => event.preventDefault());
    at("more").addEventListener("click", () => {
      const from = shown;
      more();
      const next = at("list").children[from]?.querySelector("button, summary");
      if (at("more").hidden && next) next.focus();
    });
    at("filters").hidden = false;
  }

  opened().then((data) => {
    ({ texts, samples } = data);
    fill();
    if (location.hash.startsWith("#samples?")) arrive();
    else find();
    window.addEventListener("hashchange", arrive);
    document.documentElement.dataset.ready = "yes";
  }).catch((error) => {
    at("count").textContent = `The samples cannot be shown in this browser (${error.name}). Figures and tables do not need them.`;
  });
})();
