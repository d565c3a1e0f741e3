// WordPiece in the browser: the ids that bert_tf/text/tokenizers/wordpiece.py computes, with the place of each token.
//
// The properties of characters come from the export, so that they do not depend on the browser's Unicode version.

// Of a character (unicode_tables.py).
const SPACE = 1, ALONE = 2, REMOVED = 4, JOINS = 8, CASED = 16, CASE_IGNORABLE = 32;
const CAPITAL_SIGMA = 0x3a3, SMALL_SIGMA = 0x3c3, FINAL_SIGMA = 0x3c2;
const CONTINUATION = "##";

export class WordPiece {
  // settings: {vocabulary: tokens in the order of their ids, unknown, maxWordChars, lowerCase, stripAccents,
  //   composedLater, planesEnd, tags, size, shift, properties}; the last two are runs [first row, number of rows, value].
  constructor(settings) {
    this.settings = settings;
    this.ids = new Map(settings.vocabulary.map((token, id) => [token, id]));
    this.shift = fill(new Int32Array(settings.size), settings.shift);
    this.properties = fill(new Uint8Array(settings.size), settings.properties);
    this.composedLater = new RegExp(`[${settings.composedLater}]`, "u"); // in a Unicode version after the tables
  }

  // [{id, start, end}] of a text; places are in UTF-16, as those of JavaScript's strings.
  tokenize(text) {
    return this.words(text).flatMap((word) => this.pieces(word));
  }

  // The words of a text: arrays of {code, start, end}, a character each.
  words(text) {
    const characters = this.normalized(text), words = [];
    let word = [];
    const finish = () => {
      if (word.length) words.push(word);
      word = [];
    };
    for (const character of characters) {
      if (character.properties & (SPACE | ALONE)) finish();
      if (!(character.properties & (SPACE | REMOVED))) word.push(character);
      if (character.properties & ALONE) finish();
    }
    finish();
    return words;
  }

  // Lower-cased, decomposed characters {code, properties, start, end} of a text.
  normalized(text) {
    const {lowerCase, stripAccents} = this.settings, found = [];
    let place = 0, letter = null;
    for (const character of text) {
      const start = place, end = (place += character.length);
      let expanded = character;
      if (stripAccents) expanded = this.composedLater.test(character) ? "\uffff" : character.normalize("NFD");
      else if (lowerCase && character === "\u0130") expanded = "I\u0307";
      const joins = this.properties[this.row(character.codePointAt(0))] & JOINS;
      if (!joins) letter = {end};
      else if (letter) letter.end = end; // an accent is part of the letter before it
      for (const part of expanded) {
        const code = part.codePointAt(0), row = this.row(code);
        found.push({code: code + this.shift[row], properties: this.properties[row], start, letter: letter ?? {end}});
      }
    }
    if (lowerCase) lowerSigmas(found);
    return found.map(({letter, ...character}) => ({...character, end: letter.end}));
  }

  row(code) {
    const {planesEnd, tags, size} = this.settings;
    if (code < planesEnd) return code;
    return Math.min(Math.max(code - (tags - planesEnd), planesEnd - 1), size - 1);
  }

  // The longest matches in a word, from left to right; one unknown token where there is none.
  pieces(word) {
    const whole = {start: word[0].start, end: word.at(-1).end}, found = [];
    if (word.length > this.settings.maxWordChars) return [{id: this.settings.unknown, ...whole}];
    for (let start = 0; start < word.length; ) {
      let end = word.length, id;
      for (; end > start; end--) {
        const part = String.fromCodePoint(...word.slice(start, end).map((character) => character.code));
        id = this.ids.get(start ? CONTINUATION + part : part);
        if (id !== undefined) break;
      }
      if (id === undefined) return [{id: this.settings.unknown, ...whole}];
      found.push({id, start: word[start].start, end: word[end - 1].end});
      start = end;
    }
    return found;
  }
}

// `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`; of texts that are too long the longer one is cut first.
export function layOut(segments, {length, tokenizer}) {
  const kept = segments.map((tokens) => tokens.length);
  let excess = kept.reduce((total, count) => total + count + 1, 1) - length;
  const cut = excess > 0;
  for (; excess > 0; excess--) kept[kept.length > 1 && kept[1] >= kept[0] ? 1 : 0]--;
  const tokens = [{id: tokenizer.cls, text: -1, segment: 0}];
  segments.forEach((segment, text) => {
    tokens.push(...segment.slice(0, kept[text]).map((token) => ({...token, text, segment: text})));
    tokens.push({id: tokenizer.sep, text: -1, segment: text});
  });
  return {tokens, cut};
}

// A sigma is final after a cased letter and not before one, case-ignorable ones skipped (Unicode, table 3-17).
function lowerSigmas(characters) {
  const letters = characters.filter((character) => !(character.properties & (CASE_IGNORABLE | REMOVED)));
  letters.forEach((character, i) => {
    if (character.code !== CAPITAL_SIGMA) return;
    const after = i > 0 && letters[i - 1].properties & CASED;
    const before = i + 1 < letters.length && letters[i + 1].properties & CASED;
    character.code = after && !before ? FINAL_SIGMA : SMALL_SIGMA;
  });
}

function fill(table, runs) {
  for (const [first, count, value] of runs) table.fill(value, first, first + count);
  return table;
}
