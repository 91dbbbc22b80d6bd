'use strict';
const { appendFileSync, readFileSync } = require('node:fs');

/**
 * An engine that does what native engines do at their worst, on demand. Its "model" is a file of JSON that says when: `open`, `run`
 * (every run), `poison` (a run on the value 13), `inside` (opening in a process that is not the model's own); and how: the name of a
 * signal, or "hang". `log` is a file that gets a line for every opening, `version` what it says of itself.
 */
exports.backend = {
  id: 'scripted',
  installedVersion: () => process.env.SCRIPTED_VERSION ?? '1.0.0',
  load: async () => ({ version: process.env.SCRIPTED_VERSION ?? '1.0.0' }),
  async open(path) {
    const script = JSON.parse(readFileSync(path, 'utf8'));
    if (script.log) appendFileSync(script.log, `${process.pid}\n`);
    if (!process.argv[1]?.endsWith('child.js')) act(script.inside);
    act(script.open);
    return {
      inputs: [{ name: 'x', type: 'float32', shape: [1] }],
      outputs: [{ name: 'y', type: 'float32', shape: [1] }],
      async run({ x }) {
        act(script.run);
        if (x.data[0] === 13) act(script.poison);
        return { y: { type: 'float32', shape: [1], data: Float32Array.from(x.data) } };
      },
      async release() {},
    };
  },
};

function act(what) {
  if (what === undefined) return;
  if (what !== 'hang') process.kill(process.pid, what);
  // As a native call does: nothing else of this thread happens any more.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
