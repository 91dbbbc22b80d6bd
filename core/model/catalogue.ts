import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError } from '../errors';
import type { Manifest } from './manifest';
import { parseManifest } from './parse-manifest';

/** What runs where nobody chose: in the package, free for commercial use. */
export const DEFAULT_MODEL = 'coco-ssd-mobilenet-v2-int8';

const FOLDER = join(__dirname, 'catalogue');
let entries: readonly Manifest[] | undefined;

/** The models that this palette knows, one file each in catalogue/; the default first, then by id. Read once. */
export function catalogue(): readonly Manifest[] {
  entries ??= readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .map((file) => parseManifest(JSON.parse(readFileSync(join(FOLDER, file), 'utf8')), `catalogue/${file}`))
    .sort((a, b) => Number(b.id === DEFAULT_MODEL) - Number(a.id === DEFAULT_MODEL));
  return entries;
}

/** @throws EDGE_MODEL_NOT_FOUND with the ids that exist. */
export function catalogueEntry(id: string): Manifest {
  const entry = catalogue().find((candidate) => candidate.id === id);
  if (entry) return entry;
  const known = catalogue().map((candidate) => candidate.id);
  throw new EdgeError('EDGE_MODEL_NOT_FOUND', `no catalogue entry "${id.slice(0, 80)}"; there are ${known.join(', ')}`);
}
