import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { NodeAPI, NodeDef, NodeMessageInFlow } from 'node-red';
import { registerArrivals } from './arrivals';

/**
 * Two nodes that run inside the measured Node-RED: `bench-source` sends JPEG Buffers in a closed loop, at most `window` of them
 * under way, and `bench-sink` tells it that one arrived. Every palette is measured with the same two.
 *
 * HTTP, under the admin root: POST bench/watch, POST bench/start, POST bench/stop, GET bench/figures.
 */
interface SourceDef extends NodeDef {
  folder: string;
  window: number;
}

/** A frame that brought no answer in this time is counted as lost and the loop goes on. */
const LOST_AFTER_MS = 10_000;

class Loop {
  sent = 0;
  arrived = 0;
  lost = 0;
  running = false;
  private outstanding = 0;
  private watchdog: NodeJS.Timeout | undefined;
  private readonly delay = monitorEventLoopDelay({ resolution: 1 });

  constructor(
    private readonly window: number,
    private readonly emit: (index: number) => void,
  ) {}

  watch(): void {
    this.delay.reset();
    this.delay.enable();
  }

  start(): void {
    Object.assign(this, { sent: 0, arrived: 0, lost: 0, outstanding: 0, running: true });
    this.watch();
    this.fill();
  }

  stop(): void {
    this.running = false;
    this.delay.disable();
    clearTimeout(this.watchdog);
  }

  arrive(): void {
    if (!this.running) return;
    this.arrived += 1;
    this.outstanding = Math.max(0, this.outstanding - 1);
    this.fill();
  }

  figures(): Record<string, number> {
    return { sent: this.sent, arrived: this.arrived, lost: this.lost, eventLoopP99Ms: this.delay.percentile(99) / 1e6 };
  }

  private fill(): void {
    clearTimeout(this.watchdog);
    while (this.running && this.outstanding < this.window) {
      this.outstanding += 1;
      this.emit(this.sent++);
    }
    if (this.running) this.watchdog = setTimeout(() => this.giveUp(), LOST_AFTER_MS);
  }

  private giveUp(): void {
    this.lost += this.outstanding;
    this.outstanding = 0;
    this.fill();
  }
}

export = (RED: NodeAPI): void => {
  let loop: Loop | undefined;
  registerArrivals(RED);

  RED.nodes.registerType('bench-source', function (this, definition: SourceDef) {
    RED.nodes.createNode(this, definition);
    const pictures = readdirSync(definition.folder)
      .filter((name) => name.endsWith('.jpg'))
      .sort()
      .map((name) => readFileSync(join(definition.folder, name)));
    loop = new Loop(definition.window, (index) => {
      // The same Buffers again and again, here and in the floor: what a source allocates is nobody's cost.
      const payload = pictures[index % pictures.length]!;
      setImmediate(() => this.send({ payload, topic: 'bench' } as NodeMessageInFlow));
    });
    this.on('close', () => loop?.stop());
  });

  RED.nodes.registerType('bench-sink', function (this, definition: NodeDef) {
    RED.nodes.createNode(this, definition);
    this.on('input', (_message, _send, done) => {
      loop?.arrive();
      done();
    });
  });

  // The monitor alone, for the idle baseline.
  RED.httpAdmin.post('/bench/watch', (_request, response) => {
    loop?.watch();
    response.sendStatus(loop ? 204 : 503);
  });
  RED.httpAdmin.post('/bench/start', (_request, response) => {
    loop?.start();
    response.sendStatus(loop ? 204 : 503);
  });
  RED.httpAdmin.post('/bench/stop', (_request, response) => {
    loop?.stop();
    response.sendStatus(204);
  });
  RED.httpAdmin.get('/bench/figures', (_request, response) => {
    response.json(loop?.figures() ?? {});
  });
};
