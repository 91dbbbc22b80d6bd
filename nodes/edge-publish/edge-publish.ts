import type { Node, NodeAPI, NodeDef } from 'node-red';
import { type ComposeSettings, compose } from '../../core/delivery/compose';
import type { ConnectionState } from '../../core/delivery/mqtt';
import { TopicTemplate } from '../../core/delivery/topic';
import { EdgeError, invalidSetting } from '../../core/errors';
import { toFrame } from '../../core/media/image-input';
import { toJpeg } from '../../core/media/jpeg';
import type { BrokerNode } from '../common/broker-node';
import { construct } from '../common/construct';
import { serveMetrics } from '../common/metrics-route';
import { onClose, onInput } from '../common/on-input';
import { reportError } from '../common/report';
import { choiceSetting, flagSetting, numberSetting, textSetting } from '../common/settings';
import { clearStatus, status } from '../common/status';

interface Config extends NodeDef {
  broker: string;
  topic: string;
  qos: string;
  retain: boolean;
  send: string;
  picture: string;
  pictureTopic: string;
  pictureWidth: string;
  expiry: string;
  userProperties: unknown;
}

const QOS = { '0': 0, '1': 1, '2': 2 } as const;

module.exports = (RED: NodeAPI) => {
  function EdgePublish(this: Node, config: Config) {
    RED.nodes.createNode(this, config);
    construct(this, () => {
      const settings = composeSettings(config, this.name || this.type);
      const broker = RED.nodes.getNode(config.broker) as BrokerNode | null;
      if (!broker?.use) throw new EdgeError('EDGE_BROKER_NONE');
      const connection = broker.use(stateReporter(this));

      onInput(this, async (message) => {
        const outgoing = await compose(message, settings);
        await Promise.all(outgoing.map((each) => connection.publish(each)));
        status(this, 'green', 'edge-publish.status.connected');
      });

      onClose(this, async () => {
        await connection.release();
        clearStatus(this);
      });
    });
  }

  RED.nodes.registerType('edge-publish', EdgePublish);
  serveMetrics(RED);
};

/** Shows the connection on the node's status. Every reason of an outage is an error once, not at each new try. */
function stateReporter(node: Node): (state: ConnectionState) => void {
  const told = new Set<string>();
  return (state) => {
    if (state.phase === 'connecting') status(node, 'yellow', 'edge-publish.status.connecting');
    else if (state.phase === 'online') {
      told.clear();
      status(node, 'green', 'edge-publish.status.connected');
    } else if (state.phase === 'offline') {
      if (told.has(state.error.code)) status(node, 'red', state.error.code);
      else reportError(node, state.error);
      told.add(state.error.code);
    }
  };
}

function composeSettings(config: Config, name: string): ComposeSettings {
  const width = numberSetting('picture width', config.pictureWidth, { min: 16, max: 8192, fallback: 640, integer: true });
  const expiry = numberSetting('expiry', config.expiry, { min: 0, max: 4_294_967_295, fallback: 0, integer: true });
  const userProperties = propertiesSetting(config.userProperties);
  return {
    name,
    topic: new TopicTemplate(textSetting('topic', config.topic, 'edgeloom/{source}/detections')),
    qos: QOS[choiceSetting('QoS', config.qos, ['1', '0', '2'])],
    retain: flagSetting(config.retain, false),
    send: choiceSetting('what to send', config.send, ['message', 'payload', 'picture']),
    picture: choiceSetting('picture', config.picture, ['none', 'attach', 'topic']),
    pictureTopic: new TopicTemplate(textSetting('picture topic', config.pictureTopic, 'edgeloom/{source}/picture')),
    ...(expiry > 0 && { expirySeconds: expiry }),
    ...(userProperties && { userProperties }),
    toJpeg: async (picture) => toJpeg(await toFrame(picture), { width }),
  };
}

/** Rows of the dialog, `[{name, value}]`. */
function propertiesSetting(value: unknown): Record<string, string> | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (!Array.isArray(value)) throw invalidSetting('user properties', 'a list of names and values', value);
  const rows = value.map((row: { name?: unknown; value?: unknown }) => {
    const name = textSetting('user property', row?.name);
    return [name, textSetting(`user property ${name}`, row?.value)] as const;
  });
  const named = rows.filter(([name]) => name !== '');
  return named.length > 0 ? Object.fromEntries(named) : undefined;
}
