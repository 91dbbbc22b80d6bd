/**
 * `npm start`: the security camera template in a real Node-RED with a real broker, all on this machine and on loopback only.
 * Prints READY with the addresses once the first detection has come over MQTT, and stays until Ctrl-C or SIGTERM.
 *
 *   PORT=1880               the editor's port; a free one is taken where it is in use
 *   EDGELOOM_DEMO=.edgeloom the demo's user directory
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Aedes } from 'aedes';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const PALETTE = '@edgeloom/node-red-edge-ai';
const HOST = '127.0.0.1';
/** Seconds from the start to the first detection after which something is wrong. */
const PATIENCE_S = 120;
/** Node-RED gives its nodes 15 s to close. */
const STOP_MS = 18_000;

const started = performance.now();
let broker;
let nodeRed;
let ending;

process.on('SIGINT', () => end(0));
process.on('SIGTERM', () => end(0));
process.on('SIGHUP', () => end(0));
// A service manager's SIGTERM reaches npm and npm's shell, and not us: without them nobody is left to end this.
const parent = process.ppid;
setInterval(() => process.ppid === parent || end(0), 1000).unref();

try {
  const demo = resolve(root, process.env.EDGELOOM_DEMO || '.edgeloom');
  const editorPort = await usablePort(portSetting());
  broker = await startBroker();
  prepare(demo, editorPort, broker.port);
  const first = broker.firstDetection();
  nodeRed = startNodeRed(demo);
  // Node-RED starts its flows before it listens: on a busy machine the detection can come before the editor answers.
  const ready = Promise.all([first, nodeRed.editor]);
  const [detection, editor] = await Promise.race([ready, nodeRed.ended, patience()]);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`READY
  editor     ${editor}
  MQTT       mqtt://${HOST}:${broker.port}  topic ${detection.topic}
  first      ${detection.text}, ${seconds} s after the start
  Ctrl-C ends it.`);
  await nodeRed.ended;
} catch (error) {
  if (!ending) {
    console.error(`npm start failed: ${error.message}`);
    await end(1);
  }
}

/** Node-RED first, so that its last messages still find the broker. */
async function end(code) {
  if (ending) return;
  ending = true;
  await nodeRed?.stop();
  await broker?.stop();
  process.exit(code);
}

function portSetting() {
  const text = process.env.PORT || '1880';
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new Error(`PORT: expected a port number, got "${text}"`);
  return port;
}

/** The wanted port of the loopback; 0, which lets the system choose, where something else listens there. */
function usablePort(wanted) {
  return new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(0));
    server.listen(wanted, HOST, () => server.close(() => done(wanted)));
  });
}

async function startBroker() {
  const aedes = await Aedes.createBroker();
  const server = createServer(aedes.handle);
  const port = await usablePort(1883);
  await new Promise((done, failed) => server.once('error', failed).listen(port, HOST, done));
  return {
    port: server.address().port,
    firstDetection: () =>
      new Promise((found) => {
        aedes.on('publish', (packet, client) => {
          const text = client && describe(packet.payload);
          if (text) found({ topic: packet.topic, text });
        });
      }),
    stop: () => new Promise((done) => aedes.close(() => server.close(() => done()))),
  };
}

/** "person 0.87 at 130,42 180x240", or nothing where the message brings no detection. */
function describe(payload) {
  try {
    const message = JSON.parse(payload.toString());
    const { detections, image } = message.payload ?? message;
    const { label, score, box } = detections[0];
    const at = [box.x, box.y].map(Math.round).join(',');
    return `${label} ${score.toFixed(2)} at ${at}, ${Math.round(box.width)}x${Math.round(box.height)} of ${image.width}x${image.height}`;
  } catch {
    return undefined;
  }
}

/** A user directory with this palette in it and the template as its flow. */
function prepare(demo, editorPort, brokerPort) {
  const link = join(demo, 'node_modules', PALETTE);
  mkdirSync(dirname(link), { recursive: true });
  rmSync(link, { recursive: true, force: true });
  symlinkSync(root, link, 'junction');
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const about = { name: 'edgeloom-demo', private: true, dependencies: { [PALETTE]: version } };
  writeFileSync(join(demo, 'package.json'), `${JSON.stringify(about, null, 2)}\n`);
  const settings = {
    uiHost: HOST,
    uiPort: editorPort,
    flowFile: 'flows.json',
    credentialSecret: false,
    telemetry: { enabled: false, updateNotification: false },
    externalModules: { autoInstall: false },
    editorTheme: { tours: false, projects: { enabled: false } },
  };
  writeFileSync(join(demo, 'settings.js'), `module.exports = ${JSON.stringify(settings, null, 2)};\n`);
  writeFlow(demo, brokerPort);
}

/** A flow that somebody changed in the editor is set aside, not overwritten. */
function writeFlow(demo, brokerPort) {
  const file = join(demo, 'flows.json');
  const note = join(demo, 'template.sha256');
  const nodes = JSON.parse(readFileSync(join(root, 'flows', 'security-camera', 'flow.json'), 'utf8'));
  for (const node of nodes) if (node.type === 'edge-broker') node.address = `mqtt://${HOST}:${brokerPort}`;
  if (existsSync(file) && existsSync(note) && sha256(readFileSync(file)) !== readFileSync(note, 'utf8')) {
    const kept = `flows-${new Date().toISOString().replace(/[:.]/g, '-')}.json`;
    renameSync(file, join(demo, kept));
    console.log(`Your changed flow was kept as ${join(demo, kept)}; import it in the editor to go on with it.`);
  }
  const text = JSON.stringify(nodes, null, 4);
  writeFileSync(file, text);
  writeFileSync(note, sha256(text));
}

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

function startNodeRed(demo) {
  const logFile = join(demo, 'node-red.log');
  const log = createWriteStream(logFile);
  const child = spawn(process.execPath, [join(root, 'node_modules', 'node-red', 'red.js'), '-u', demo], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // The whole group gets Ctrl-C from a terminal; Node-RED is to be told once, by us.
    detached: true,
  });
  const tail = [];
  let listening;
  // The address that Node-RED logs once it listens, in whatever language: the port is the system's choice where it was 0.
  const editor = new Promise((found) => {
    listening = (lines) => {
      const address = new RegExp(`http://${HOST}:\\d+/`).exec(lines)?.[0];
      if (address) found(address);
    };
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      log.write(chunk);
      tail.push(String(chunk));
      if (tail.length > 200) tail.shift();
      listening(tail.slice(-2).join(''));
    });
  }
  // Node-RED does not outlive us, whatever ends us.
  process.once('exit', () => child.kill('SIGKILL'));
  let exited = false;
  const closed = new Promise((done) => {
    child.once('close', (code, signal) => {
      exited = true;
      done(signal ?? code);
    });
    child.once('error', done);
  });
  const lastLines = () => `\n${tail.join('').split('\n').slice(-40).join('\n')}\n(the whole log: ${logFile})`;
  return {
    lastLines,
    editor,
    ended: closed.then((how) => {
      throw new Error(`Node-RED ended by itself (${how})${lastLines()}`);
    }),
    async stop() {
      if (exited) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}

function patience() {
  return new Promise((_done, failed) => {
    const late = () =>
      failed(new Error(`the editor and a detection over MQTT did not both come in ${PATIENCE_S} s${nodeRed.lastLines()}`));
    setTimeout(late, PATIENCE_S * 1000).unref();
  });
}
