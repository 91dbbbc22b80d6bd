import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT } from '../support/needs';
import { NODE_RED_4 } from '../support/node-red';

const { satisfies } = createRequire(join(NODE_RED_4.folder, 'red.js'))('semver') as {
  satisfies(version: string, range: string): boolean;
};

interface Entry {
  version?: string;
  resolved?: string;
  hasInstallScript?: boolean;
  peerDependencies?: Record<string, string>;
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

  it('holds for every peer the version that it takes: npm 10 refuses a lock without, and newer ones take such lines out', () => {
    const wrong = Object.entries(packages).flatMap(([place, { peerDependencies = {} }]) =>
      Object.entries(peerDependencies).flatMap(([name, range]) => {
        const there = resolve(place, name);
        const found = there === undefined ? undefined : packages[there]?.version;
        return found && !satisfies(found, range) ? [`${place} takes ${name} ${range}, not ${found}`] : [];
      }),
    );
    expect(wrong).toEqual([]);
  });

  it('does not say that onnxruntime-node has an install script, so that an npm that runs such scripts runs not this one', () => {
    // It would download CUDA libraries; where it cannot, npm leaves the runtime out. Take the line out after a new lock.
    expect(packages['node_modules/onnxruntime-node']).toMatchObject({ optional: true });
    expect(packages['node_modules/onnxruntime-node']).not.toHaveProperty('hasInstallScript');
  });

  it('denies every install script by name, so that an npm that asks about them asks nothing', () => {
    const { allowScripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { allowScripts: object };
    const scripted = Object.keys(packages).filter((place) => packages[place]?.hasInstallScript);
    const names = new Set(['onnxruntime-node', ...scripted.map((place) => place.replace(/^.*node_modules\//, ''))]);
    expect(allowScripts).toEqual(Object.fromEntries([...names].map((name) => [name, false])));
  });

  it('names no registry, so that the configured one is asked', () => {
    expect(Object.keys(packages).filter((place) => packages[place]?.resolved)).toEqual([]);
  });
});
