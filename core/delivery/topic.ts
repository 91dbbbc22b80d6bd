import { EdgeError } from '../errors';

/** The longest topic that MQTT can carry, in bytes of UTF-8. */
export const MAX_TOPIC_BYTES = 65_535;

/** What a template's placeholders are filled from. `label` is the best detection or class, where there is one. */
export interface TopicValues {
  source: string;
  name: string;
  label?: string;
  message: Readonly<Record<string, unknown>>;
}

type Part = { text: string } | { placeholder: string; path: readonly string[] };

/**
 * A topic with placeholders in braces: `edgeloom/{source}/detections`.
 *
 * - `{source}` the camera, recording or sensor; `{name}` the node's name; `{label}` the best detection or class
 * - `{msg.topic}`, `{msg.payload.line}`, `{msg.payload.detections[0].label}`, `{edge.sequence}`: any property of the message
 * - `{{` and `}}` stand for a brace
 *
 * What comes out of a message can never leave its level: `/`, `#`, `+`, NUL and other control characters in it become `_`, an
 * empty value becomes `_`, and so does a `$` at the very start of the topic, where it would name the broker's own topics.
 */
export class TopicTemplate {
  readonly text: string;
  private readonly parts: readonly Part[];

  /** @throws EDGE_PUBLISH_TOPIC when the template can give no topic that may be published to. */
  constructor(text: string) {
    this.text = text;
    this.parts = parse(text);
    if (this.parts.length === 0) throw new EdgeError('EDGE_PUBLISH_TOPIC', 'the topic is empty');
  }

  /** @throws EDGE_PUBLISH_TOPIC when the message lacks a property that the template names, or the topic grows too long. */
  fill(values: TopicValues): string {
    let topic = '';
    for (const part of this.parts) {
      if ('text' in part) topic += part.text;
      else topic += onOneLevel(foundAt(part, values), topic === '');
    }
    const bytes = Buffer.byteLength(topic);
    if (bytes > MAX_TOPIC_BYTES) throw new EdgeError('EDGE_PUBLISH_TOPIC', `${bytes} bytes long, MQTT allows ${MAX_TOPIC_BYTES}`);
    return topic;
  }
}

function parse(text: string): Part[] {
  const parts: Part[] = [];
  for (const [token] of text.matchAll(/\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+/g)) {
    if (token === '{{' || token === '}}') appendText(parts, token[0]!);
    else if (token === '{' || token === '}')
      throw new EdgeError('EDGE_PUBLISH_TOPIC', `a single ${token} in ${JSON.stringify(text)}`, {
        mend: `Write ${token}${token}`,
      });
    else if (token.startsWith('{')) parts.push({ placeholder: token, path: pathOf(token) });
    else appendText(parts, token);
  }
  return parts;
}

function appendText(parts: Part[], text: string): void {
  const forbidden = FORBIDDEN_IN_TEMPLATE.exec(text);
  if (forbidden) {
    throw new EdgeError('EDGE_PUBLISH_TOPIC', `${JSON.stringify(forbidden[0])} in the topic`, {
      mend: 'The wildcards + and # are for subscribing, and control characters are not allowed',
    });
  }
  const last = parts.at(-1);
  if (last && 'text' in last) last.text += text;
  else parts.push({ text });
}

/** `{msg.payload.items[0].name}` as the steps from the message; the short names as one step without the message. */
function pathOf(token: string): readonly string[] {
  const inside = token.slice(1, -1).trim();
  if (inside === 'source' || inside === 'name' || inside === 'label') return [inside];
  const steps = inside.split(/\.|\[(\d+)\](?=\.|\[|$)\.?/).filter((step) => step !== undefined && step !== '');
  const [first, ...rest] = steps;
  if ((first !== 'msg' && first !== 'edge') || rest.length === 0 || !/^[\w$-]+(\.[\w$-]+|\[\d+\])+$/.test(inside)) {
    throw new EdgeError('EDGE_PUBLISH_TOPIC', `the placeholder ${token.slice(0, 80)} is not known`, {
      mend: 'Known are {source}, {name}, {label}, {msg.…} and {edge.…}',
    });
  }
  return first === 'edge' ? ['msg', 'edge', ...rest] : steps;
}

function foundAt(part: { placeholder: string; path: readonly string[] }, values: TopicValues): string {
  const [first, ...rest] = part.path;
  if (first === 'source' || first === 'name') return values[first];
  let value: unknown = first === 'label' ? values.label : values.message;
  for (const step of rest) {
    // Own properties only: `constructor` and `__proto__` of a plain object are not data.
    value = typeof value === 'object' && value !== null && Object.hasOwn(value, step) ? (value as never)[step] : undefined;
  }
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return String(value);
  const found = value === undefined ? 'nothing' : value === null ? 'null' : `a ${typeof value}`;
  throw new EdgeError('EDGE_PUBLISH_TOPIC', `${part.placeholder} has ${found} in this message`);
}

function onOneLevel(value: string, first: boolean): string {
  const level = value.replace(FORBIDDEN_IN_DATA, '_');
  if (level === '') return '_';
  return first && level.startsWith('$') ? `_${level.slice(1)}` : level;
}

// Lone surrogates have no UTF-8. U+0000 is forbidden in MQTT; the other control characters and non-characters let a broker close the connection (MQTT 5, 1.5.4).
const CONTROL = '\\u0000-\\u001f\\u007f-\\u009f\\ufdd0-\\ufdef\\ufffe\\uffff';
const FORBIDDEN_IN_TEMPLATE = new RegExp(`[#+${CONTROL}]`);
const FORBIDDEN_IN_DATA = new RegExp(`[/#+${CONTROL}\\p{Surrogate}]`, 'gu');
