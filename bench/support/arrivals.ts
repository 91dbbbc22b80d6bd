import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { NodeAPI, NodeDef, NodeMessageInFlow } from 'node-red';

/** What reached `bench-arrivals` since POST bench/arrivals. */
export interface ArrivalFigures {
  count: number;
  /** Messages of the sources' sequences that did not arrive between the first and the last that did. */
  dropped: number;
  /** Milliseconds from `edge.capturedAt` to here, one for each message. */
  agesMs: number[];
  eventLoopP99Ms: number;
}

/**
 * A node that runs inside the measured Node-RED and notes how old each picture is that reaches it. HTTP, under the admin root:
 * POST bench/arrivals begins anew, GET bench/arrivals gives the figures.
 */
export function registerArrivals(RED: NodeAPI): void {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let agesMs: number[] = [];
  let sequences = new Map<string, { first: number; last: number; count: number }>();

  RED.nodes.registerType('bench-arrivals', function (this, definition: NodeDef) {
    RED.nodes.createNode(this, definition);
    this.on(
      'input',
      (message: NodeMessageInFlow & { edge?: { source: string; sequence: number; capturedAt: number } }, _send, done) => {
        const { edge } = message;
        if (edge) {
          agesMs.push(Date.now() - edge.capturedAt);
          const known = sequences.get(edge.source) ?? { first: edge.sequence, last: edge.sequence, count: 0 };
          sequences.set(edge.source, { first: known.first, last: edge.sequence, count: known.count + 1 });
        }
        done();
      },
    );
  });

  RED.httpAdmin.post('/bench/arrivals', (_request, response) => {
    agesMs = [];
    sequences = new Map();
    delay.reset();
    delay.enable();
    response.sendStatus(204);
  });
  RED.httpAdmin.get('/bench/arrivals', (_request, response) => {
    const dropped = [...sequences.values()].reduce((sum, { first, last, count }) => sum + (last - first + 1 - count), 0);
    const figures: ArrivalFigures = { count: agesMs.length, dropped, agesMs, eventLoopP99Ms: delay.percentile(99) / 1e6 };
    response.json(figures);
  });
}
