import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/needs';

interface Entry {
  version?: string;
  resolved?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}

/** What `npm ci` refuses on another machine and `npm install` does not notice on this one. */
describe('the lock file', () => {
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, Entry> };

  /** Where a package finds another: its own folder first, then each one around it. */
  function resolve(from: string, name: string): string | undefined {
    const place = `${from ? `${from}/` : ''}node_modules/${name}`;
    if (packages[place]) return place;
    return from === '' ? undefined : resolve(from.replace(/\/?node_modules\/(?:@[^/]+\/)?[^/]+$/, ''), name);
  }

  it('gives every package a version', () => {
    expect(Object.keys(packages).filter((place) => !packages[place]?.version)).toEqual([]);
  });

  it('holds what every package asks for, on every platform', () => {
    const missing = Object.entries(packages).flatMap(([place, entry]) =>
      Object.keys({ ...entry.dependencies, ...entry.optionalDependencies, ...entry.devDependencies })
        .filter((name) => !resolve(place, name))
        .map((name) => `${place} -> ${name}`),
    );
    expect(missing).toEqual([]);
  });

  it('names no registry, so that the configured one is asked', () => {
    expect(Object.keys(packages).filter((place) => packages[place]?.resolved)).toEqual([]);
  });
});
