import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './needs';

export interface PinnedPackage {
  name: string;
  version: string;
  integrity: string;
}

/** One file of a pinned npm package, by the build's own way: fetched once into .cache, checked against its hash. */
export function fileOfPackage(pinned: PinnedPackage, path: string): Buffer {
  const script = `
    import { readFromNpmTarball } from ${JSON.stringify(join(ROOT, 'scripts', 'npm-tarball.mjs'))};
    process.stdout.write(readFromNpmTarball(${JSON.stringify({ root: ROOT, ...pinned, path })}));`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], { maxBuffer: 256 * 2 ** 20 });
}
