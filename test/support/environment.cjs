'use strict';
const { TestEnvironment } = require('jest-environment-node');

/**
 * Native addons (onnxruntime-node) check `instanceof Float32Array` against the outer realm; Jest gives each test file its own.
 * Sharing the outer realm's typed arrays makes a tensor made in a test the same kind of object as one made in Node-RED.
 */
class Environment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    for (const name of [
      'ArrayBuffer',
      'SharedArrayBuffer',
      'Atomics',
      'DataView',
      'Int8Array',
      'Uint8Array',
      'Uint8ClampedArray',
      'Int16Array',
      'Uint16Array',
      'Int32Array',
      'Uint32Array',
      'Float32Array',
      'Float64Array',
      'BigInt64Array',
      'BigUint64Array',
    ]) {
      this.global[name] = globalThis[name];
    }
  }
}

module.exports = Environment;
