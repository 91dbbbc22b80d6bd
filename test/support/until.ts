/** Milliseconds: generous, since nothing is measured by it. Jest's own limit (jest.config.mjs) is above it. */
const PATIENCE_MS = 60_000;

/** Waits until it holds; there is no other way to see what another process, a socket or the collector did. */
export async function until(holds: () => boolean | Promise<boolean>, what: string, milliseconds = PATIENCE_MS): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not in ${milliseconds} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
