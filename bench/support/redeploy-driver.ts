import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Node, NodeAPI, NodeDef, NodeMessageInFlow } from 'node-red';
import type { Arrival, Tally } from './tally';

/**
 * Nodes that run inside a Node-RED that is deployed again and again: `bench-ticker` sends pictures at a rate and does not wait for
 * anybody, as a camera; `bench-tally` keeps what arrives. What they count belongs to the process, not to the nodes, and goes on
 * over deploys. `bench-dispose-then-load` is a model node as it is often written.
 *
 * HTTP, under the admin root: POST bench/start, POST bench/stop, GET bench/tally.
 */
interface TickerDef extends NodeDef {
  folder: string;
  framesPerSecond: number;
}

type Frame = NodeMessageInFlow & { index?: number; sentAt?: number };

const tally = { sent: 0, arrivals: [] as Arrival[], seen: new Set<number>(), twice: 0, completed: 0, errors: [] as string[] };
let dropped = 0;
let ticking = false;

export = (RED: NodeAPI): void => {
  RED.nodes.registerType('bench-ticker', function (this, definition: TickerDef) {
    RED.nodes.createNode(this, definition);
    const pictures = readdirSync(definition.folder)
      .filter((name) => name.endsWith('.jpg'))
      .map((name) => readFileSync(join(definition.folder, name)));
    const period = 1000 / definition.framesPerSecond;
    let due = performance.now();
    const timer = setInterval(() => {
      // A camera does not wait for an event loop that was held up.
      for (; due <= performance.now(); due += period) {
        if (!ticking) continue;
        const index = tally.sent++;
        this.send({ payload: pictures[index % pictures.length], index, sentAt: Date.now(), topic: 'bench' } as Frame);
      }
    }, period / 4);
    this.on('close', () => clearInterval(timer));
  });

  RED.nodes.registerType('bench-tally', function (this, definition: NodeDef) {
    RED.nodes.createNode(this, definition);
    this.on('input', (message: Frame, _send, done) => {
      const { index = -1, sentAt = 0, payload } = message;
      if (tally.seen.has(index)) tally.twice += 1;
      tally.seen.add(index);
      tally.arrivals.push([index, sentAt, Date.now() - sentAt, String((payload as { model?: unknown })?.model)]);
      done();
    });
  });

  RED.nodes.registerType('bench-completed', function (this, definition: NodeDef) {
    RED.nodes.createNode(this, definition);
    this.on('input', (message: NodeMessageInFlow & { error?: { code?: string; message?: string } }, _send, done) => {
      if (message.error) tally.errors.push(message.error.code ?? message.error.message ?? 'an error');
      else tally.completed += 1;
      done();
    });
  });

  RED.nodes.registerType('bench-dispose-then-load', disposeThenLoad(RED));

  RED.events.on('node-status', ({ id, status }: { id: string; status?: { text?: string } }) => {
    const count = id === 'infer' ? /(\d+) dropped/.exec(status?.text ?? '')?.[1] : undefined;
    if (count !== undefined) dropped = Number(count);
  });

  RED.httpAdmin.post('/bench/start', (_request, response) => {
    ticking = true;
    response.sendStatus(204);
  });
  RED.httpAdmin.post('/bench/stop', (_request, response) => {
    ticking = false;
    response.sendStatus(204);
  });
  RED.httpAdmin.get('/bench/tally', (_request, response) => {
    const { sent, twice, completed, errors } = tally;
    // Handed over once, and no longer this process's memory.
    const arrivals = tally.arrivals.splice(0);
    const answer: Tally = {
      sent,
      arrivals,
      twice,
      completed,
      errors,
      dropped,
      handles: handles(),
      memory: process.memoryUsage(),
      now: Date.now(),
    };
    response.json(answer);
  });
};

/** Everything that a forgotten timer's socket, thread, child or file would add to. */
function handles(): number {
  const { _getActiveHandles: active, _getActiveRequests: requests } = process as unknown as Record<
    '_getActiveHandles' | '_getActiveRequests',
    () => unknown[]
  >;
  return active().length + requests().length + readdirSync('/proc/self/fd').length + readdirSync('/proc/self/task').length;
}

/** What `bench-dispose-then-load` dropped because it was busy; its own policy, as `latest` is ours. */
let busyDrops = 0;

/**
 * The usual model node: close releases the session, the constructor loads the new one, and what comes before it is ready is
 * lost. It runs the session in Node-RED's own thread; while it is busy only the newest picture waits, and the others are counted.
 */
function disposeThenLoad(RED: NodeAPI) {
  const require = createRequire(join(__dirname, 'redeploy-driver.js'));
  const engine = require('onnxruntime-node') as typeof import('onnxruntime-node');
  const sharp = require('sharp') as typeof import('sharp');
  return function (this: Node, definition: NodeDef & { path: string; version: string }) {
    RED.nodes.createNode(this, definition);
    let session: import('onnxruntime-node').InferenceSession | undefined;
    engine.InferenceSession.create(definition.path).then((created) => {
      session = created;
    });
    let busy = false;
    let next: (() => Promise<void>) | undefined;
    this.on('input', (message, send, done) => {
      if (!session) return done();
      const own = session;
      const run = async () => {
        const image = sharp(message.payload as Buffer).resize(300, 300, { fit: 'fill' });
        const pixels = new Uint8Array(await image.removeAlpha().raw().toBuffer());
        await own.run({ image: new engine.Tensor('uint8', pixels, [1, 300, 300, 3]) });
        send({ ...message, payload: { model: definition.version } });
        this.status({ text: `${busyDrops} dropped` });
      };
      const settled = () => run().then(() => done(), done);
      if (busy) {
        if (next) busyDrops += 1;
        next = settled;
        return;
      }
      busy = true;
      void settled().then(async () => {
        for (let waiting = next; waiting; waiting = next) {
          next = undefined;
          await waiting();
        }
        busy = false;
      });
    });
    this.on('close', (done: () => void) => {
      void session?.release().finally(done);
    });
  };
}
