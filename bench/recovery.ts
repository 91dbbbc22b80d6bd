import { crash } from './recovery/process';
import { stream } from './recovery/stream';
import type { Bench } from './support/bench';

/** One file in recovery/ for each kind of break. */
const CASES: Record<string, (bench: Bench) => Promise<void>> = { stream, crash };

/** How soon what broke is there again. `-- recovery stream` measures only that case. */
export default async function recovery(bench: Bench): Promise<void> {
  const wanted = bench.options.rest.length > 0 ? bench.options.rest : Object.keys(CASES);
  for (const name of wanted) {
    const run = CASES[name];
    if (!run) throw new Error(`no case ${name}; there are ${Object.keys(CASES).join(', ')}`);
    await run(bench);
  }
}
