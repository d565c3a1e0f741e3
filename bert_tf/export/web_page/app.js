// The page: fields for the texts of the model, and its answer.

import {Model} from "./model.js";

const form = document.querySelector("form"), answer = document.querySelector("output");
const note = document.querySelector("#note");

start().catch((error) => (note.textContent = `The model cannot be opened: ${error.message}`));

async function start() {
  const model = await Model.open(), {title, summary, texts, example} = model.description;
  document.title = document.querySelector("h1").textContent = title;
  document.querySelector("#summary").textContent = summary;
  const fields = texts.map(({name, optional}) => {
    const label = element("label", name + (optional ? " (optional)" : "")), field = element("textarea");
    field.name = name;
    field.rows = 3;
    field.value = example[name] ?? "";
    label.append(field);
    form.querySelector("button").before(label);
    return {field, optional};
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const given = fields.filter(({field, optional}) => field.value || !optional).map(({field}) => field.value);
    show(model, given, await model.run(given));
  });
  form.querySelector("button").disabled = false;
  note.textContent = "The text stays in this browser.";
}

function show(model, texts, result) {
  const {outputs} = result, {labels, per_token: perToken} = model.description;
  let parts;
  if (outputs.probabilities && perToken) parts = tags(texts[0], result, labels);
  else if (outputs.probabilities) parts = bars(outputs.probabilities, labels);
  else if (outputs.start_logits) parts = [element("p", texts[1].slice(...span(result)))];
  else parts = [element("p", Array.from(Object.values(outputs)[0], (value) => value.toFixed(4)).join(" "))];
  answer.replaceChildren(...parts);
  const cut = result.cut ? ` Only the first ${model.description.length} tokens were read.` : "";
  note.textContent = `${result.milliseconds.toFixed(1)} ms.${cut}`;
}

// A row for each label, the likeliest first.
function bars(probabilities, labels) {
  const order = [...labels.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  return order.map((i) => {
    const row = element("div", ""), bar = element("meter", "");
    row.dataset.label = labels[i];
    bar.value = probabilities[i];
    row.append(element("span", labels[i]), bar, element("span", `${(100 * probabilities[i]).toFixed(1)} %`));
    return row;
  });
}

// The words of a text with their tags, which are those of their first tokens.
function tags(text, {tokens, outputs}, labels) {
  const at = new Map(tokens.map((token, i) => (token.text < 0 ? [-1, i] : [token.start, i])));
  return Array.from(text.matchAll(/\S+/gu), (word) => {
    const row = at.get(word.index), part = element("span", word[0]);
    if (row !== undefined) {
      const scores = outputs.probabilities.slice(row * labels.length, (row + 1) * labels.length);
      part.append(element("small", labels[scores.indexOf(Math.max(...scores))]));
    }
    return part;
  });
}

// [start, end] in the second text of the likeliest answer of at most 30 tokens.
function span({tokens, outputs}) {
  let best = {score: -Infinity};
  for (let start = 0; start < tokens.length; start++) {
    for (let end = start; end < Math.min(start + 30, tokens.length) && tokens[end].text === 1; end++) {
      const score = outputs.start_logits[start] + outputs.end_logits[end];
      if (tokens[start].text === 1 && score > best.score) best = {score, start, end};
    }
  }
  return best.start === undefined ? [0, 0] : [tokens[best.start].start, tokens[best.end].end];
}

function element(name, text) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  return made;
}
