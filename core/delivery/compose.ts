import type { Frame } from '../message/frame';
import { isFrame } from '../message/frame';
import { provenanceOf } from '../message/provenance';
import { bare, bestLabel, type Encoded, envelope } from './payload';
import type { OutgoingMessage } from './sender';
import type { TopicTemplate, TopicValues } from './topic';

export interface ComposeSettings {
  /** The publishing node's name, for `{name}` and for messages that do not say where they come from. */
  name: string;
  topic: TopicTemplate;
  qos: 0 | 1 | 2;
  retain: boolean;
  /** The JSON envelope, the payload as it is, or the picture itself. */
  send: 'message' | 'payload' | 'picture';
  /** Pixels go along only by this: not at all, inside the JSON, or on a topic of their own. */
  picture: 'none' | 'attach' | 'topic';
  pictureTopic: TopicTemplate;
  expirySeconds?: number;
  userProperties?: Readonly<Record<string, string>>;
  /** The message's picture as a JPEG of the wanted size. */
  toJpeg(picture: unknown): Promise<Buffer>;
}

/**
 * What one message of a flow becomes on its way out: one message for the broker, or two where the picture has its own topic.
 * @throws EDGE_PUBLISH_TOPIC, EDGE_PUBLISH_PAYLOAD, and what `toJpeg` throws.
 */
export async function compose(message: Record<string, unknown>, settings: ComposeSettings): Promise<OutgoingMessage[]> {
  const provenance = provenanceOf(message, settings.name);
  const picture = pictureOf(message);
  const label = bestLabel(message.payload);
  const values: TopicValues = { source: provenance.source, name: settings.name, message, ...(label !== undefined && { label }) };
  const out = (topic: TopicTemplate, encoded: Encoded): OutgoingMessage => ({
    topic: topic.fill(values),
    payload: encoded.payload,
    contentType: encoded.contentType,
    qos: settings.qos,
    retain: settings.retain,
    ...(settings.expirySeconds !== undefined && { expirySeconds: settings.expirySeconds }),
    ...(settings.userProperties && { userProperties: settings.userProperties }),
  });

  if (settings.send === 'picture') {
    return [out(settings.topic, jpegPayload(await settings.toJpeg(picture ?? message.payload)))];
  }
  if (settings.send === 'payload') return [out(settings.topic, bare(message.payload))];
  if (settings.picture === 'none' || picture === undefined) return [out(settings.topic, envelope(message.payload, provenance))];
  const jpeg = await settings.toJpeg(picture);
  if (settings.picture === 'attach') {
    return [out(settings.topic, envelope(message.payload, provenance, { contentType: 'image/jpeg', jpeg }))];
  }
  return [out(settings.topic, envelope(message.payload, provenance)), out(settings.pictureTopic, jpegPayload(jpeg))];
}

/** The picture that a message carries: its payload, or the one its result was made from. */
export function pictureOf(message: Record<string, unknown>): Frame | Uint8Array | undefined {
  const { payload, edge } = message;
  if (isFrame(payload) || payload instanceof Uint8Array) return payload;
  const frame = typeof edge === 'object' && edge !== null ? (edge as { frame?: unknown }).frame : undefined;
  return isFrame(frame) ? frame : undefined;
}

function jpegPayload(payload: Buffer): Encoded {
  return { payload, contentType: 'image/jpeg' };
}
