import { MAX_TOPIC_BYTES, TopicTemplate } from '../../../core/delivery/topic';
import { EdgeError } from '../../../core/errors';

const fill = (template: string, message: Record<string, unknown> = {}, values: object = {}) =>
  new TopicTemplate(template).fill({ source: 'gate', name: 'out', message, ...values });

const codeOf = (action: () => unknown) => {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof EdgeError) return thrown.code;
    throw thrown;
  }
  return 'no error';
};

describe('a topic template', () => {
  it('fills in source, node name and label', () => {
    expect(fill('edgeloom/{source}/{name}/{label}', {}, { label: 'person' })).toBe('edgeloom/gate/out/person');
  });

  it('fills in any property of the message', () => {
    const message = { topic: 'line 3', edge: { sequence: 7 }, payload: { detections: [{ label: 'dog' }, { label: 'cat' }] } };
    expect(fill('a/{msg.topic}/{edge.sequence}/{msg.payload.detections[1].label}', message)).toBe('a/line 3/7/cat');
    expect(fill('{msg.flag}/{msg.count}', { flag: true, count: 0 })).toBe('true/0');
  });

  it('takes doubled braces for braces', () => {
    expect(fill('a/{{{source}}}/{{x}}')).toBe('a/{gate}/{x}');
  });

  it('keeps what a message says on its level', () => {
    for (const hostile of ['a/b', 'a+b', 'a#b', 'a\0b', 'a\nb', 'a\u0085b', 'a\ufffeb', 'a\ud800b']) {
      expect(fill('x/{msg.topic}/y', { topic: hostile })).toBe('x/a_b/y');
    }
    expect(fill('x/{msg.topic}/y', { topic: '' })).toBe('x/_/y');
    expect(fill('{msg.topic}/y', { topic: '$SYS' })).toBe('_SYS/y');
    expect(fill('x/{msg.topic}', { topic: '$SYS' })).toBe('x/$SYS');
    expect(fill('x/{source}', {}, { source: '../#' })).toBe('x/..__');
  });

  it('keeps every letter of every language', () => {
    expect(fill('x/{msg.topic}', { topic: '车间 3 · Bühne 🎥' })).toBe('x/车间 3 · Bühne 🎥');
  });

  it("lets the template's own author name the broker's topics", () => {
    expect(fill('$aws/things/{source}/shadow')).toBe('$aws/things/gate/shadow');
  });

  it.each(['', 'a/#', 'a/+/b', 'a\0b', 'a/{', 'a/}', '{nonsense}', '{msg}', '{msg.}', '{msg.a[x]}', '{}'])(
    'refuses %j',
    (template) => {
      expect(codeOf(() => new TopicTemplate(template))).toBe('EDGE_PUBLISH_TOPIC');
    },
  );

  it('says which placeholder has nothing', () => {
    expect(() => fill('a/{label}')).toThrow('{label} has nothing in this message');
    expect(() => fill('a/{msg.payload}', { payload: { x: 1 } })).toThrow('{msg.payload} has a object');
  });

  it('reads own properties only', () => {
    for (const path of ['{msg.constructor.name}', '{msg.__proto__.x}', '{msg.payload.length}']) {
      expect(codeOf(() => fill(path, { payload: {} }))).toBe('EDGE_PUBLISH_TOPIC');
    }
  });

  it('counts its length in bytes', () => {
    const most = 'ü'.repeat((MAX_TOPIC_BYTES - 1) / 2);
    expect(Buffer.byteLength(fill('{msg.topic}', { topic: most }))).toBeLessThanOrEqual(MAX_TOPIC_BYTES);
    expect(codeOf(() => fill('{msg.topic}', { topic: `${most}ü` }))).toBe('EDGE_PUBLISH_TOPIC');
  });
});
