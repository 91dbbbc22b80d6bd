import { PythonPairs, type PythonValue, pythonLiteral } from './python-literal';

/** What an exporter wrote into the file's `metadata_props`, as far as it is understood. */
export interface ExporterFacts {
  /** Class names by class number. */
  names?: readonly string[];
  /** Ultralytics' word: detect, classify, pose, segment, obb. */
  task?: string;
  /** Largest stride of the network in pixels. */
  stride?: number;
  /** The size that the model was exported for. */
  size?: { width: number; height: number };
  /** True where the graph ends without the need of suppression (YOLOv10, YOLO26). */
  endToEnd?: boolean;
  /** Keypoints of a pose, and values of each (2: x, y; 3: x, y, visibility). */
  keypointShape?: readonly [count: number, values: number];
  /** Keys whose value was there and could not be understood. */
  unread: readonly string[];
}

const MOST_NAMES = 65_535;

/**
 * The metadata that Ultralytics' exporter writes: `names`, `task`, `stride`, `imgsz`, `end2end`, `kpt_shape`, printed by Python.
 * Source: docs.ultralytics.com/modes/export; ultralytics/engine/exporter.py.
 */
export function exporterFacts(properties: Readonly<Record<string, string>>): ExporterFacts {
  const unread: string[] = [];
  const read = <T>(key: string, understand: (value: PythonValue) => T | undefined): T | undefined => {
    if (!Object.hasOwn(properties, key)) return undefined;
    const literal = pythonLiteral(properties[key]!);
    const value = literal === undefined ? undefined : understand(literal);
    if (value === undefined) unread.push(key);
    return value;
  };
  const names = read('names', namesOf);
  const stride = read('stride', (value) => (isCount(value, 1024) ? value : undefined));
  const size = read('imgsz', sizeOf);
  const endToEnd = read('end2end', (value) => (typeof value === 'boolean' ? value : undefined));
  const keypointShape = read('kpt_shape', keypointShapeOf);
  // A bare word, which is no literal.
  const task = properties.task?.trim();
  return {
    unread,
    ...(names ? { names } : {}),
    ...(task && /^[a-z]{1,20}$/.test(task) ? { task } : {}),
    ...(stride === undefined ? {} : { stride }),
    ...(size ? { size } : {}),
    ...(endToEnd === undefined ? {} : { endToEnd }),
    ...(keypointShape ? { keypointShape } : {}),
  };
}

/** A dictionary whose keys count from 0, or a list. */
function namesOf(value: PythonValue): string[] | undefined {
  const named = value instanceof PythonPairs ? byNumber(value) : Array.isArray(value) ? value : undefined;
  if (!named || named.length === 0 || named.length > MOST_NAMES) return undefined;
  return named.every((name) => typeof name === 'string') ? named.map((name) => (name as string).slice(0, 200)) : undefined;
}

function byNumber({ pairs }: PythonPairs): PythonValue[] | undefined {
  return pairs.every(([key], index) => Number(key) === index) ? pairs.map(([, name]) => name) : undefined;
}

/** Ultralytics writes height before width. */
function sizeOf(value: PythonValue): { width: number; height: number } | undefined {
  if (isCount(value, 8192)) return { width: value, height: value };
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [height, width] = value;
  return isCount(height, 8192) && isCount(width, 8192) ? { width, height } : undefined;
}

function keypointShapeOf(value: PythonValue): [number, number] | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [count, values] = value;
  return isCount(count, 1000) && (values === 2 || values === 3) ? [count, values] : undefined;
}

function isCount(value: PythonValue | undefined, most: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most;
}
