// Khronos glTF validator over many files: node validate_glb.js FILE...
// Prints one JSON line per file, {file, errors, warnings, infos, messages}; exits 1 when a file has errors.
"use strict";
const fs = require("fs");
const validator = require("gltf-validator");

async function main(files) {
  let bad = false;
  for (const file of files) {
    let line;
    try {
      const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(file)), { maxIssues: 100 });
      const { numErrors, numWarnings, numInfos, messages } = report.issues;
      const texts = messages.filter((m) => m.severity < 2).map((m) => `${m.code} ${m.pointer || ""}: ${m.message}`);
      line = { file, errors: numErrors, warnings: numWarnings, infos: numInfos, messages: texts };
    } catch (error) {
      line = { file, errors: 1, warnings: 0, infos: 0, messages: [String(error)] };
    }
    bad = bad || line.errors > 0;
    console.log(JSON.stringify(line));
  }
  process.exitCode = bad ? 1 : 0;
}

main(process.argv.slice(2));
