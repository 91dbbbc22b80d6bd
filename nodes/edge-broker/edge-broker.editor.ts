import type { EditorNodeProperties } from 'node-red';
import { field, openSections, useStyle } from '../common/editor/fields';
import { postJson, type RouteError } from '../common/editor/routes';
import { both, matching, numberFrom, required } from '../common/editor/validate';

interface EdgeBroker extends EditorNodeProperties {
  name: string;
  address: string;
  tls: string;
  version: string;
  clientId: string;
  keepalive: string;
  statusTopic: string;
  onlinePayload: string;
  offlinePayload: string;
}

interface Credentials {
  user: string;
  password: string;
}

type TestAnswer = { ok: true; address: string; milliseconds: number } | { ok: false; code: string; message: string };

const address =
  /^((mqtts?|tcp|ssl|tls):\/\/)?(\[[0-9a-f:.]+\]|[^\s/:@?#[\]]+)(:\d{1,5})?\/?$|^wss?:\/\/[^\s/@?#]+(\/[^\s@?#]*)?$/i;

RED.nodes.registerType<EdgeBroker, Credentials>('edge-broker', {
  category: 'config',
  defaults: {
    name: { value: '' },
    address: { value: 'mqtt://localhost:1883', validate: both(required(), matching(address, 'broker')) },
    tls: { value: '', type: 'tls-config', required: false },
    version: { value: 'auto' },
    clientId: { value: '', validate: matching(/^\S{1,128}$/, 'clientId') },
    keepalive: { value: '30', validate: numberFrom(0, 65_535, { integer: true }) },
    statusTopic: { value: '', validate: matching(/^[^#+{}\0]+$/, 'plainTopic') },
    onlinePayload: { value: 'online' },
    offlinePayload: { value: 'offline' },
  },
  credentials: {
    user: { type: 'text' },
    password: { type: 'password' },
  },
  paletteLabel() {
    return this._('edge-broker.label.node');
  },
  label() {
    return this.name || this.address || 'edge-broker';
  },
  labelStyle() {
    return this.name ? 'node_label_italic' : '';
  },
  oneditprepare() {
    useStyle();
    const form = field('node-config-input-address').closest<HTMLElement>('.edge-form')!;
    openSections(form, this);
    const translate = this._.bind(this) as Translate;
    field('edge-broker-test').addEventListener('click', () => void testConnection(this.id, translate));
  },
});

type Translate = (key: string, values?: Record<string, unknown>) => string;

/** Connect with what stands in the dialog now, deployed or not, and say how it went. */
async function testConnection(id: string, translate: Translate): Promise<void> {
  const button = field<HTMLButtonElement>('edge-broker-test');
  const result = field('edge-broker-test-result');
  const say = (kind: '' | 'edge-error', title: string, detail = '') => {
    const strong = document.createElement('strong');
    strong.textContent = title;
    result.hidden = false;
    result.className = `edge-notice ${kind}`;
    result.replaceChildren(strong, ...(detail ? [document.createElement('br'), detail] : []));
  };
  const value = (name: string) => field(`node-config-input-${name}`).value;
  const tls = value('tls');

  button.disabled = true;
  say('', translate('edge-broker.test.running'));
  try {
    const answer = await postJson<TestAnswer>('edgeloom/broker/test', {
      id,
      address: value('address'),
      tls: tls === '_ADD_' ? '' : tls,
      version: value('version'),
      clientId: value('clientId'),
      keepalive: value('keepalive'),
      user: value('user'),
      password: value('password'),
    });
    if (answer.ok) say('', translate('edge-broker.test.good', { address: answer.address, milliseconds: answer.milliseconds }));
    else say('edge-error', translate(answer.code), answer.message);
  } catch (thrown) {
    say('edge-error', translate('edge-broker.test.impossible'), (thrown as RouteError).message);
  } finally {
    button.disabled = false;
  }
}
