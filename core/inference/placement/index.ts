import { findBackend } from '../backends';
import { isFixed } from '../measure';
import type { OpenSpec, Session } from '../session';
import { MainSession } from './main';
import { openWorker } from './threads';

/** Milliseconds under which a run is cheaper than the way to another thread and back. */
const TINY_MS = 0.3;

/**
 * Open a model where it belongs. `auto` opens it in a worker, where a slow or hostile file disturbs nobody, measures it there, and
 * moves it to the main thread only when it is tiny for every input that it may get: of fixed shapes, or made of independent rows.
 */
export async function openSession(spec: OpenSpec & { placement: 'auto' | 'worker' | 'main' }): Promise<Session> {
  const { ownThreadOnly = false } = findBackend(spec.backend);
  if (spec.placement === 'main' && !ownThreadOnly) return MainSession.open(spec);
  const { session, ready } = await openWorker(spec);
  if (spec.placement === 'main') session.info.notes.push(`${spec.backend} runs in a thread of its own only`);
  if (spec.placement === 'worker' || ownThreadOnly) return session;
  const { medianMs, batchable, inputs } = ready;
  const tiny = medianMs !== undefined && medianMs < TINY_MS && (batchable || isFixed(inputs));
  if (!tiny) return session;
  await session.close();
  return MainSession.open({ ...spec, options: { ...spec.options, threads: session.info.threads } }, { medianMs, batchable });
}
