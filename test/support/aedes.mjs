/** An aedes broker over TCP and WebSocket in a process of its own (it is an ES module, and Jest here is not). Prints its ports. */
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { Aedes } from 'aedes';
import { createWebSocketStream, WebSocketServer } from 'ws';

const broker = await Aedes.createBroker();
broker.on('publish', ({ topic, payload }, client) => {
  if (client) process.send?.({ topic, payload: payload.toString('base64') });
});

const tcp = createTcpServer(broker.handle);
const web = createServer();
new WebSocketServer({ server: web }).on('connection', (socket, request) => {
  const stream = createWebSocketStream(socket);
  stream.on('error', () => {});
  broker.handle(stream, request);
});
await Promise.all([tcp, web].map((server) => new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))));
process.send?.({ tcp: tcp.address().port, web: web.address().port });
process.on('disconnect', () => process.exit());
