import type { Node } from 'node-red';
import { sharedHost } from '../../core/inference/host';
import { heldBytes, memoryLimit } from '../../core/message/memory';
import { EventLoopWatch, family, type Labels, NO_LABELS, Scrape, writeLabels } from '../../core/metrics';
import { type Figures, liveFigures, type NodeState } from './figures';

const RECEIVED = family('counter', 'edgeloom_node_messages_received', 'Messages that reached the node');
const SENT = family('counter', 'edgeloom_node_messages_sent', 'Messages that the node sent');
const ERRORS = family('counter', 'edgeloom_node_errors', 'Errors of the node, by their code');
const STATE = family('gauge', 'edgeloom_node_state', 'Whether the node is in this state, as its status shows it: 1 or 0');
const DROPPED = family(
  'counter',
  'edgeloom_queue_dropped',
  "Messages that the node's queue let go by its policy, or refused when full",
);
const WAITING = family('gauge', 'edgeloom_queue_waiting', "Messages that wait in the node's queue");
const RUNNING = family('gauge', 'edgeloom_queue_running', "Messages of the node's queue that are being worked on");
const OLDEST = family('gauge', 'edgeloom_queue_oldest_seconds', 'How long the oldest waiting message has waited');

const FRAMES = family('counter', 'edgeloom_source_frames', 'Pictures that the camera or recording gave');
const FRAME_RATE = family('gauge', 'edgeloom_source_frames_per_second', 'Pictures a second, over the last 10 seconds');
const FRAME_AGE = family('gauge', 'edgeloom_source_frame_age_seconds', 'Time since the last picture');
const RECONNECTS = family('counter', 'edgeloom_source_reconnects', 'Connections to the source that were made anew');

const CONNECTED = family('gauge', 'edgeloom_broker_connected', 'Whether the broker is connected: 1 or 0');
const CONNECTS = family('counter', 'edgeloom_broker_connects', 'Times that the broker accepted the connection');
const PUBLISHED = family('counter', 'edgeloom_broker_published', 'Messages that the broker acknowledged');
const FAILED = family('counter', 'edgeloom_broker_failed', 'Messages that could not be published');
const IN_FLIGHT = family('gauge', 'edgeloom_broker_in_flight', 'Messages on their way to the broker');

const SESSION = family('info', 'edgeloom_inference_session', 'Where and by what an opened model runs');
const SESSIONS = family('gauge', 'edgeloom_inference_sessions', 'Models that are open');
const USERS = family('gauge', 'edgeloom_inference_users', 'Nodes and the like that use the model');
const RUNS_WAITING = family('gauge', 'edgeloom_inference_waiting', 'Runs that wait for the model');
const RUNS_RUNNING = family('gauge', 'edgeloom_inference_running', 'Runs that the model was given');
const RUNS_DONE = family('counter', 'edgeloom_inference_done', 'Runs that gave a result');
const RUNS_FAILED = family('counter', 'edgeloom_inference_failed', 'Runs that ended in an error');
const RESTARTS = family(
  'counter',
  'edgeloom_inference_restarts',
  'Times that what runs the model was started anew after its death',
);
const HUNG = family(
  'gauge',
  'edgeloom_inference_hung_threads',
  'Threads that were given up inside the engine and are still there',
);
const RUN = family('histogram', 'edgeloom_inference_run_seconds', 'Time inside the engine, of each run');
const QUEUE = family('histogram', 'edgeloom_inference_queue_seconds', 'Time from asking for a run to its beginning');
const LOAD = family('gauge', 'edgeloom_inference_load_seconds', 'How long the model took to open and measure');

const HELD = family('gauge', 'edgeloom_frame_memory_bytes', 'Pictures and tensors alive, of which messages hold references');
const HELD_LIMIT = family('gauge', 'edgeloom_frame_memory_limit_bytes', 'How much of them may be alive at once');

const DELAY_P50 = family('gauge', 'edgeloom_event_loop_delay_p50_seconds', 'Half of the time the event loop was later than this');
const DELAY_P99 = family('gauge', 'edgeloom_event_loop_delay_p99_seconds', 'One time in a hundred it was later than this');
const DELAY_LONGEST = family('gauge', 'edgeloom_event_loop_delay_longest_seconds', 'The longest since the scrape before');
const BUILD = family('info', 'edgeloom_build', 'Versions of the palette, Node-RED and Node.js');
const RESIDENT = family('gauge', 'process_resident_memory_bytes', 'Resident memory of the whole Node-RED process');
const HEAP = family('gauge', 'edgeloom_heap_used_bytes', "Used part of Node.js' own heap");
const EXTERNAL = family('gauge', 'edgeloom_external_memory_bytes', 'Memory of buffers outside that heap');
const CPU = family('counter', 'process_cpu_seconds', 'Processor time of the whole Node-RED process');
const START = family('gauge', 'process_start_time_seconds', 'When the process began, in seconds since the epoch');

const STATES: readonly NodeState[] = ['running', 'waiting', 'failed', 'stopped'];

const eventLoop = new EventLoopWatch();

/**
 * Everything that the palette measures, in steps between which the event loop may turn; the last gives the whole. Labels come from
 * nodes, codes and models, never from messages.
 */
export function* measure(versions: Labels): Generator<void, Scrape> {
  const scrape = new Scrape();
  scrape.add(BUILD, writeLabels(versions), 1);
  for (const [node, figures] of liveFigures()) {
    measureNode(scrape, node, figures);
    yield;
  }
  measureInference(scrape);
  scrape.add(HELD, NO_LABELS, heldBytes());
  scrape.add(HELD_LIMIT, NO_LABELS, memoryLimit());
  measureProcess(scrape);
  return scrape;
}

function measureNode(scrape: Scrape, node: Node, figures: Figures): void {
  const labels = figures.labels(node);
  // A config node has no wires.
  if (!figures.connection) {
    scrape.add(RECEIVED, labels, figures.received);
    scrape.add(SENT, labels, figures.sent);
  }
  for (const [code, count] of figures.errors) scrape.add(ERRORS, writeLabels({ code }, labels), count);
  if (figures.state) {
    for (const state of STATES) scrape.add(STATE, writeLabels({ state }, labels), state === figures.state ? 1 : 0);
  }
  const queue = figures.queue?.();
  if (queue) {
    scrape.add(DROPPED, labels, queue.dropped);
    scrape.add(WAITING, labels, queue.waiting);
    scrape.add(RUNNING, labels, queue.running);
    scrape.add(OLDEST, labels, queue.oldestMs / 1000);
  }
  const { pictures } = figures;
  if (pictures) {
    scrape.add(FRAMES, labels, pictures.total);
    scrape.add(FRAME_RATE, labels, pictures.perSecond());
    const age = pictures.age();
    if (age !== undefined) scrape.add(FRAME_AGE, labels, age);
    scrape.add(RECONNECTS, labels, pictures.reconnects);
  }
  const connection = figures.connection?.();
  if (connection) {
    scrape.add(CONNECTED, labels, connection.connected ? 1 : 0);
    scrape.add(CONNECTS, labels, connection.connects);
    scrape.add(PUBLISHED, labels, connection.published);
    scrape.add(FAILED, labels, connection.failed);
    scrape.add(IN_FLIGHT, labels, connection.inFlight);
  }
}

/** Sessions of one model that differ only in their options are one series: what they did is summed. */
function measureInference(scrape: Scrape): void {
  const { sessions, hungThreads } = sharedHost().stats();
  scrape.add(HUNG, NO_LABELS, hungThreads);
  for (const { name, sha256, info, leases, ...session } of sessions) {
    const labels = writeLabels({ model: name, backend: info.backend, placement: info.placement });
    const details = { sha256, engine: info.engineVersion, threads: String(info.threads) };
    scrape.add(SESSION, writeLabels(details, labels), 1);
    scrape.add(SESSIONS, labels, 1);
    scrape.add(USERS, labels, leases);
    scrape.add(RUNS_WAITING, labels, session.waiting);
    scrape.add(RUNS_RUNNING, labels, session.running);
    scrape.add(RUNS_DONE, labels, session.done);
    scrape.add(RUNS_FAILED, labels, session.failed);
    scrape.add(RESTARTS, labels, session.restarts);
    scrape.addHistogram(RUN, labels, session.run);
    scrape.addHistogram(QUEUE, labels, session.queue);
    scrape.add(LOAD, labels, session.load);
  }
}

function measureProcess(scrape: Scrape): void {
  const delay = eventLoop.read();
  if (delay) {
    scrape.add(DELAY_P50, NO_LABELS, delay.p50);
    scrape.add(DELAY_P99, NO_LABELS, delay.p99);
    scrape.add(DELAY_LONGEST, NO_LABELS, delay.longest);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  scrape.add(RESIDENT, NO_LABELS, rss);
  scrape.add(HEAP, NO_LABELS, heapUsed);
  scrape.add(EXTERNAL, NO_LABELS, external);
  const { user, system } = process.cpuUsage();
  scrape.add(CPU, NO_LABELS, (user + system) / 1e6);
  scrape.add(START, NO_LABELS, performance.timeOrigin / 1000);
}
