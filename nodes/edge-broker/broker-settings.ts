import { randomBytes } from 'node:crypto';
import { parseBrokerAddress } from '../../core/delivery/address';
import type { ConnectionOptions } from '../../core/delivery/mqtt';
import type { Announcement, TlsSettings } from '../../core/delivery/session';
import { TopicTemplate } from '../../core/delivery/topic';
import { EdgeError, invalidSetting } from '../../core/errors';
import { choiceSetting, numberSetting, textSetting } from '../common/settings';

/** What the dialog of a broker holds, besides the credentials. */
export interface BrokerConfig {
  address?: unknown;
  tls?: unknown;
  version?: unknown;
  clientId?: unknown;
  keepalive?: unknown;
  statusTopic?: unknown;
  onlinePayload?: unknown;
  offlinePayload?: unknown;
}

export interface BrokerCredentials {
  user?: unknown;
  password?: unknown;
}

const VERSIONS = { auto: 'auto', '5': 5, '3.1.1': 4 } as const;

/**
 * The dialog's values as options of a connection.
 * @param tls of the chosen tls-config node; null where none is chosen.
 * @throws EDGE_BROKER_URL, EDGE_PUBLISH_TOPIC, EDGE_SETTING
 */
export function brokerOptions(config: BrokerConfig, credentials: BrokerCredentials, tls: TlsSettings | null): ConnectionOptions {
  const user = textSetting('user name', credentials.user);
  const password = credentials.password;
  if (password !== undefined && typeof password !== 'string') throw invalidSetting('password', 'a text', typeof password);
  return {
    address: parseBrokerAddress(textSetting('address', config.address), tls !== null),
    version: VERSIONS[choiceSetting('MQTT version', config.version, ['auto', '5', '3.1.1'])],
    // 23 letters and digits at most are what every 3.1.1 broker takes.
    clientId: textSetting('client id', config.clientId, `edgeloom${randomBytes(6).toString('hex')}`),
    keepaliveSeconds: numberSetting('keep alive', config.keepalive, { min: 0, max: 65_535, fallback: 30, integer: true }),
    ...(user !== '' && { username: user, ...(password && { password }) }),
    ...(tls && { tls }),
    ...announcements(config),
  };
}

/** One retained topic says whether the client is there: by us while we can, by the broker when we cannot. */
function announcements(config: BrokerConfig): { birth?: Announcement; will?: Announcement; goodbye?: Announcement } {
  const topic = textSetting('status topic', config.statusTopic);
  if (topic === '') return {};
  const template = new TopicTemplate(topic);
  const fixed = template.fill({ source: '', name: '', message: {} });
  if (/[{}]/.test(topic)) throw new EdgeError('EDGE_PUBLISH_TOPIC', 'a status topic has no placeholders');
  const say = (payload: string): Announcement => ({ topic: fixed, payload, qos: 1, retain: true });
  const offline = say(textSetting('offline text', config.offlinePayload, 'offline'));
  return { birth: say(textSetting('online text', config.onlinePayload, 'online')), will: offline, goodbye: offline };
}
