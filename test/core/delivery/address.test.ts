import { parseBrokerAddress, showBrokerAddress } from '../../../core/delivery/address';

it.each([
  ['broker', 'mqtt://broker:1883'],
  ['192.168.1.4:1884', 'mqtt://192.168.1.4:1884'],
  [' mqtt://broker ', 'mqtt://broker:1883'],
  ['MQTTS://broker', 'mqtts://broker:8883'],
  ['ssl://broker:80', 'mqtts://broker:80'],
  ['tcp://[fe80::1]:1884', 'mqtt://[fe80::1]:1884'],
  ['ws://broker', 'ws://broker:80/'],
  ['wss://broker/mqtt/in', 'wss://broker:443/mqtt/in'],
  ['mqtt://broker/', 'mqtt://broker:1883'],
])('%s is %s', (text, shown) => {
  expect(showBrokerAddress(parseBrokerAddress(text))).toBe(shown);
});

it('becomes secure where TLS is set', () => {
  expect(showBrokerAddress(parseBrokerAddress('broker', true))).toBe('mqtts://broker:8883');
  expect(showBrokerAddress(parseBrokerAddress('ws://broker:9001/m', true))).toBe('wss://broker:9001/m');
});

it.each([
  '',
  'http://broker',
  'mqtt://',
  'mqtt://broker:0',
  'mqtt://broker:99999',
  'mqtt://broker/path',
  'wss://broker/?a=b',
  'a b',
  '//x',
])('refuses %j', (text) => {
  expect(() => parseBrokerAddress(text)).toThrow(expect.objectContaining({ code: 'EDGE_BROKER_URL' }));
});

it('refuses a password in the address, and does not repeat it', () => {
  expect.assertions(2);
  try {
    parseBrokerAddress('mqtt://camera:hunter2@broker');
  } catch (thrown) {
    expect(thrown).toMatchObject({ code: 'EDGE_BROKER_URL' });
    expect(String(thrown)).not.toContain('hunter2');
  }
});
