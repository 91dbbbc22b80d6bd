import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EdgeError } from '../../../errors';
import type { Backend, BackendSession, SessionOptions, Tensors } from '../../backend';
import { type Engine, firstLine, OnnxSession, openError, runError } from '../onnx-session';
import { defaultThreads } from '../onnxruntime-node';

const SCRIPT = join(__dirname, 'ort-wasm-simd-threaded.mjs');
const BINARY = join(__dirname, 'ort-wasm-simd-threaded.wasm');

/**
 * ONNX Runtime in WebAssembly, which this package carries: for machines without a native binary (Alpine, 32-bit ARM, macOS on x64).
 * One instance per thread, with as many threads of its own as its first session was given. Nothing is fetched.
 */
export const onnxruntimeWeb: Backend = {
  id: 'onnxruntime-web',
  // Compiling the engine alone takes a second on a small machine.
  ownThreadOnly: true,

  installedVersion() {
    try {
      return (require('./engine') as WebEngine).env.versions.web;
    } catch {
      return undefined;
    }
  },

  async load() {
    return { version: (await engine()).env.versions.web ?? 'unknown' };
  },

  async open(modelPath: string, options: SessionOptions): Promise<BackendSession> {
    const ort = await engine();
    ort.env.wasm.numThreads = options.threads ?? defaultThreads();
    let session: Awaited<ReturnType<Engine['InferenceSession']['create']>>;
    const bytes = await modelBytes(modelPath);
    try {
      session = await ort.InferenceSession.create(bytes, {
        executionProviders: ['wasm'],
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        enableMemPattern: false,
        logSeverityLevel: 4,
      });
    } catch (thrown) {
      if (/no available backend found/i.test(String(thrown))) throw missing(thrown);
      throw isTrap(thrown) ? runError(thrown) : openError(thrown);
    }
    return new WebSession(ort, session);
  },
};

/** A trap leaves the instance's memory as it was in the middle of something: nothing that runs in it later can be trusted. */
class WebSession extends OnnxSession {
  broken = false;

  override async run(feeds: Tensors): Promise<Tensors> {
    try {
      return await super.run(feeds);
    } catch (thrown) {
      this.broken = isTrap((thrown as EdgeError).cause);
      throw thrown;
    }
  }
}

type WebEngine = typeof import('./engine');

let loading: Promise<WebEngine> | undefined;

function engine(): Promise<WebEngine> {
  loading ??= load();
  return loading;
}

async function load(): Promise<WebEngine> {
  try {
    const ort = require('./engine') as WebEngine;
    ort.env.logLevel = 'fatal';
    ort.env.wasm.proxy = false;
    ort.env.wasm.wasmPaths = { mjs: pathToFileURL(SCRIPT).href };
    ort.env.wasm.wasmBinary = await readFile(BINARY);
    return ort;
  } catch (thrown) {
    throw missing(thrown);
  }
}

async function modelBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (thrown) {
    throw new EdgeError('EDGE_MODEL_NOT_FOUND', path, { cause: thrown });
  }
}

function isTrap(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'RuntimeError';
}

function missing(thrown: unknown): EdgeError {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new EdgeError('EDGE_RUNTIME_MISSING', `the WebAssembly engine does not start: ${firstLine(text)}`, {
    cause: thrown,
    mend: 'Run "npm install @edgeloom/node-red-edge-ai" in the Node-RED user directory and restart Node-RED',
  });
}
