import { provenanceOf } from '../../core/message/provenance';
import type { TaskOutcome } from '../../core/task';
import type { Message } from './on-input';

/** Put a result in the place of what it was made from; the picture stays at `edge.frame`, for preview, events and snapshots. */
export function withOutcome(message: Message, fallbackSource: string, { result, frame, timings }: TaskOutcome): Message {
  const edge = provenanceOf(message, fallbackSource);
  message.payload = result;
  message.edge = { ...edge, ...(frame ? { frame } : {}), timings: { ...edge.timings, ...timings } };
  return message;
}
