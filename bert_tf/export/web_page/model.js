// A task's model in the browser: texts in, rows of tokens through LiteRT.js, outputs out.

import {loadAndCompile, loadLiteRt, Tensor} from "@litertjs/core";
import {layOut, WordPiece} from "./wordpiece.js";

export class Model {
  // Opens the model whose files are beside this page.
  static async open() {
    const description = await (await fetch("model.json")).json();
    const vocabulary = (await (await fetch("vocab.txt")).text()).replace(/\n$/, "").split("\n");
    await loadLiteRt("litert/core/wasm/");
    const compiled = await loadAndCompile("model.tflite", {accelerator: "wasm"});
    return new Model(description, new WordPiece({...description.tokenizer, vocabulary}), compiled);
  }

  constructor(description, tokenizer, compiled) {
    this.description = description;
    this.tokenizer = tokenizer;
    this.compiled = compiled;
  }

  // {tokens: [{id, start, end, text}], cut, outputs: {name: Float32Array}, shapes, milliseconds} of one or two texts.
  // `text` is the number of a token's text, -1 of a special token; `cut`: whether a text was too long for the row.
  async run(texts) {
    const row = layOut(texts.map((text) => this.tokenizer.tokenize(text)), this.description);
    const length = this.description.length, columns = [0, 1, 2].map(() => new Int32Array(length));
    row.tokens.forEach((token, i) => {
      columns[0][i] = token.id;
      columns[1][i] = 1;
      columns[2][i] = token.segment;
    });
    columns[0].fill(this.description.tokenizer.pad, row.tokens.length);
    const inputs = {};
    this.description.inputs.forEach((name, i) => (inputs[name] = new Tensor(columns[i], [1, length])));
    const begin = performance.now();
    const results = await this.compiled.run(inputs);
    const milliseconds = performance.now() - begin;
    const outputs = {};
    for (const [name, tensor] of Object.entries(results)) {
      outputs[name] = Float32Array.from(tensor.toTypedArray());
      tensor.delete();
    }
    Object.values(inputs).forEach((tensor) => tensor.delete());
    return {...row, outputs, milliseconds};
  }
}
