import { readFile, realpath, stat } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { EdgeError } from '../errors';

/** How far a result may be from the expected one; what is absent takes the default of GOLDEN_TOLERANCE. */
export interface GoldenTolerance {
  /** Largest difference of a score, 0 to 1. */
  score?: number;
  /** Least intersection over union of a found box and the expected one, 0 to 1. */
  overlap?: number;
  /** A number may differ by `absolute + relative * |expected|`. */
  absolute?: number;
  relative?: number;
}

export const GOLDEN_TOLERANCE: Required<GoldenTolerance> = { score: 0.1, overlap: 0.7, absolute: 1e-3, relative: 1e-2 };

/** An input whose result is known: what a model is tried on before a flow gets it. */
export interface GoldenSample {
  /** A picture or a JSON file beside the model, as a relative path; or the numbers themselves, for a model of tensors. */
  input: unknown;
  /** Fields of the result: `detections`, `classes`, `tensors` by output name, or whatever else the task gives. */
  expected: Readonly<Record<string, unknown>>;
  /** Of a detector: from this score on every detection must be an expected one. 0.5 by default. */
  scoreFrom?: number;
  tolerance?: GoldenTolerance;
}

/** Bytes of the largest golden picture, and of the largest golden JSON. */
const LARGEST_PICTURE = 25e6;
const LARGEST_JSON = 4 * 2 ** 20;

/** Whether a text can be the path of a file inside a folder: forward slashes, relative, nothing that leads out. */
export function isInnerPath(path: string): boolean {
  return (
    path.length <= 1024 && !/[\\:\0]/.test(path) && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
  );
}

/**
 * The payload of a sample: the bytes of its picture, or its numbers.
 * @param folder where the model's files lie; absent for a model that was fetched as one file.
 * @throws EDGE_MODEL_GOLDEN when its file is not there, leads out of the folder, or is no JSON.
 */
export async function goldenPayload({ input }: GoldenSample, folder: string | undefined): Promise<unknown> {
  if (typeof input !== 'string') return input;
  if (folder === undefined) throw new EdgeError('EDGE_MODEL_GOLDEN', `${input}: a model that is one file has nothing beside it`);
  const json = /\.json$/i.test(input);
  const bytes = await readInside(folder, input, json ? LARGEST_JSON : LARGEST_PICTURE);
  if (!json) return bytes;
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new EdgeError('EDGE_MODEL_GOLDEN', `${input} is not JSON`, { cause });
  }
}

async function readInside(folder: string, path: string, most: number): Promise<Buffer> {
  try {
    const [root, file] = await Promise.all([realpath(folder), realpath(join(folder, path))]);
    const inside = relative(root, file);
    // A link may lead anywhere.
    if (!isInnerPath(path) || inside === '..' || inside.startsWith(`..${sep}`)) throw new Error('it leads out of the folder');
    if ((await stat(file)).size > most) throw new Error(`it has more than ${most} bytes`);
    return await readFile(file);
  } catch (cause) {
    throw new EdgeError('EDGE_MODEL_GOLDEN', `${path} cannot be read (${(cause as Error).message})`, { cause });
  }
}
