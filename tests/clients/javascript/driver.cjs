// Answers the lines that the tests send: one line of JSON for each.
const { createInterface } = require("node:readline");
const { inspect } = require("node:util");

// An error as it prints itself, but for the places in the SDK's files.
const print = (error) => inspect(error).replaceAll(/\n +at .*?( \{)?$/gm, "$1");

exports.run = async (answers) => {
  for await (const line of createInterface({ input: process.stdin })) {
    const [word, argument] = line.split(" ");
    let answer = { ok: true };
    try {
      await answers[word](argument);
    } catch (error) {
      answer = { error: print(error) };
    }
    console.log(JSON.stringify(answer));
  }
};
