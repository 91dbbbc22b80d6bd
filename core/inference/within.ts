/** Resolves when the promise settles or the time is over, whichever is first; says nothing of how. */
export async function within(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([promise.then(nothing, nothing), over]);
  clearTimeout(timer);
}

function nothing(): void {}
