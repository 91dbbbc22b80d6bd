import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './needs';

/** Every node type of the palette, as the build finds them: by their folders. */
export function nodeTypes(): string[] {
  return readdirSync(join(ROOT, 'nodes'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== 'common')
    .map((entry) => entry.name)
    .sort();
}

/** Config nodes have no place in the palette and no wires. */
export function isConfig(type: string): boolean {
  return readFileSync(join(ROOT, 'nodes', type, `${type}.editor.ts`), 'utf8').includes("category: 'config'");
}
