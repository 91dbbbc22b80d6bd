import type { Bench } from './support/bench';
import { crash } from './recovery/process';

/** How soon what broke is there again. One file in recovery/ for each kind of break. */
export default async function recovery(bench: Bench): Promise<void> {
  await crash(bench);
}
