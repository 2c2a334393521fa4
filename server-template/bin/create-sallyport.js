#!/usr/bin/env node
// In the JavaScript of long ago: an old Node must be able to read the sentence that is meant for it.
const REQUIRED = [22, 19];
const version = process.versions.node.split(".").map(Number);

if (version[0] < REQUIRED[0] || (version[0] === REQUIRED[0] && version[1] < REQUIRED[1])) {
  console.error(
    "Node " +
      process.versions.node +
      " is too old: a Sallyport game needs Node " +
      REQUIRED.join(".") +
      " or later.\n" +
      "Install the current LTS from https://nodejs.org (or: nvm install --lts), then run this again.",
  );
  process.exitCode = 1;
} else {
  import("../dist/main.js").then(
    (program) => program.main(process.argv.slice(2)).then((code) => (process.exitCode = code)),
    (error) => {
      console.error(error);
      process.exitCode = 70;
    },
  );
}
