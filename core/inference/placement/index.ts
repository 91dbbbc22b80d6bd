import type { OpenSpec, Session } from '../session';
import { WorkerSession } from './worker';

export async function openSession(spec: OpenSpec & { placement: 'auto' | 'worker' | 'main' }): Promise<Session> {
  const { session } = await WorkerSession.open(spec);
  return session;
}
