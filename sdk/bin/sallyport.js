#!/usr/bin/env node
// In the JavaScript of long ago: an old Node must be able to read the sentence that is meant for it. It also exists before the
// build, so that `npm install` in a clone links the command.
const REQUIRED = [22, 19];
const version = process.versions.node.split(".").map(Number);

if (version[0] < REQUIRED[0] || (version[0] === REQUIRED[0] && version[1] < REQUIRED[1])) {
  console.error(
    "Node " +
      process.versions.node +
      " is too old: sallyport needs Node " +
      REQUIRED.join(".") +
      " or later.\n" +
      "Install the current LTS from https://nodejs.org (or: nvm install --lts), then run this again.",
  );
  process.exitCode = 1;
} else {
  import("../dist/cli/main.js").catch((error) => {
    const isUnbuilt = error.code === "ERR_MODULE_NOT_FOUND" && /[\\/]dist[\\/]cli[\\/]main\.js/.test(error.message);
    console.error(isUnbuilt ? "sallyport is not built yet: run npm install in the folder of the clone." : error);
    process.exitCode = 70;
  });
}
