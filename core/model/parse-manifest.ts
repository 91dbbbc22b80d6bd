import { EdgeError } from '../errors';
import { type GoldenSample, type GoldenTolerance, isInnerPath } from './golden';
import {
  type HeadSettings,
  type ImageInput,
  type Licence,
  type Manifest,
  type PartialManifest,
  type RawInput,
  TASK_KINDS,
} from './manifest';

/** Longest side of a model's input in pixels, most labels, longest text: beyond these a manifest is a mistake or an attack. */
const MOST_PIXELS = 8192;
const MOST_LABELS = 65_535;
const MOST_TEXT = 4096;
const MOST_GOLDEN = 32;
const MOST_EXPECTED = 1000;

/**
 * A complete manifest out of parsed JSON. Nothing is trusted: an unknown field, a wrong type or an absurd number is refused
 * and named, `__proto__` included.
 * @param where named in the error: a file or "the catalogue".
 * @throws EDGE_MODEL_MANIFEST
 */
export function parseManifest(json: unknown, where: string): Manifest {
  const partial = parsePartialManifest(json, where);
  const missing = missingFields(partial);
  if (!partial.licence) missing.push('licence');
  for (const field of ['id', 'version', 'title', 'source'] as const) if (partial[field] === undefined) missing.push(field);
  if (missing.length > 0) throw refused(where, `${missing.join(', ')} missing`);
  return { labels: [], quantization: 'none', ...partial } as Manifest;
}

/** As parseManifest, for a manifest that may leave out what the model file tells. @throws EDGE_MODEL_MANIFEST */
export function parsePartialManifest(json: unknown, where: string): PartialManifest {
  const at = new Reader(where);
  const fields = at.object(json, '', MANIFEST_FIELDS);
  const manifest: PartialManifest = {};
  if ('id' in fields)
    manifest.id = at.pattern(fields.id, 'id', /^[a-z0-9][a-z0-9._-]{0,79}$/, 'lower-case letters, digits and -._');
  if ('version' in fields) manifest.version = at.text(fields.version, 'version', 40);
  if ('title' in fields) manifest.title = at.text(fields.title, 'title', 120);
  if ('task' in fields) manifest.task = at.choice(fields.task, 'task', TASK_KINDS);
  if ('licence' in fields) manifest.licence = parseLicence(fields.licence, at);
  if ('source' in fields) manifest.source = at.text(fields.source, 'source', MOST_TEXT);
  if ('sha256' in fields) manifest.sha256 = at.pattern(fields.sha256, 'sha256', /^[0-9a-f]{64}$/, '64 hexadecimal digits');
  if ('size' in fields) manifest.size = at.number(fields.size, 'size', 1, 2 ** 40, true);
  if ('input' in fields) manifest.input = parseInput(fields.input, at);
  if ('output' in fields) manifest.output = parseOutput(fields.output, at);
  if ('labels' in fields) manifest.labels = parseLabels(fields.labels, at);
  if ('quantization' in fields) {
    manifest.quantization = at.choice(fields.quantization, 'quantization', ['none', 'int8', 'float16']);
  }
  if ('measured' in fields) manifest.measured = parseMeasured(fields.measured, at);
  if ('description' in fields) manifest.description = at.text(fields.description, 'description', MOST_TEXT);
  if ('golden' in fields) manifest.golden = parseGolden(fields.golden, at);
  return manifest;
}

/** What a task cannot run without and this manifest does not say, as paths like "input.mean". */
export function missingFields(manifest: PartialManifest): string[] {
  const missing: string[] = [];
  if (manifest.task === undefined) missing.push('task');
  if (manifest.task === 'tensors') return missing;
  const input = manifest.input;
  if (input === undefined) missing.push('input');
  else if (input.kind !== 'raw') {
    for (const field of ['width', 'height', 'layout', 'colours', 'fit'] as const) {
      if (input[field] === undefined) missing.push(`input.${field}`);
    }
    if (!input.normalisedInGraph) {
      for (const field of ['mean', 'scale'] as const) if (input[field] === undefined) missing.push(`input.${field}`);
    }
  }
  if (manifest.output?.head === undefined) missing.push('output.head');
  return missing;
}

const MANIFEST_FIELDS = [
  'id',
  'version',
  'title',
  'task',
  'licence',
  'source',
  'sha256',
  'size',
  'input',
  'output',
  'labels',
  'quantization',
  'measured',
  'description',
  'golden',
] as const;

const INPUT_FIELDS = [
  'kind',
  'name',
  'width',
  'height',
  'layout',
  'colours',
  'mean',
  'scale',
  'fit',
  'anchor',
  'padding',
  'normalisedInGraph',
] as const;

function parseLicence(json: unknown, at: Reader): Licence {
  const fields = at.object(json, 'licence', ['id', 'commercialUse', 'attribution']);
  const licence: Licence = {
    id: at.text(fields.id, 'licence.id', 80),
    commercialUse: at.flag(fields.commercialUse, 'licence.commercialUse'),
  };
  if ('attribution' in fields) licence.attribution = at.text(fields.attribution, 'licence.attribution', MOST_TEXT);
  return licence;
}

function parseInput(json: unknown, at: Reader): Partial<ImageInput> | RawInput {
  const fields = at.object(json, 'input', INPUT_FIELDS);
  if (fields.kind === 'raw') {
    at.object(json, 'input', ['kind']);
    return { kind: 'raw' };
  }
  const input: Partial<ImageInput> = {};
  if ('kind' in fields) input.kind = at.choice(fields.kind, 'input.kind', ['image']);
  if ('name' in fields) input.name = at.text(fields.name, 'input.name', 256);
  if ('width' in fields) input.width = at.number(fields.width, 'input.width', 1, MOST_PIXELS, true);
  if ('height' in fields) input.height = at.number(fields.height, 'input.height', 1, MOST_PIXELS, true);
  if ('layout' in fields) input.layout = at.choice(fields.layout, 'input.layout', ['NCHW', 'NHWC']);
  if ('colours' in fields) input.colours = at.choice(fields.colours, 'input.colours', ['rgb', 'bgr', 'grey']);
  if ('mean' in fields) input.mean = at.perChannel(fields.mean, 'input.mean', input.colours);
  if ('scale' in fields) input.scale = at.perChannel(fields.scale, 'input.scale', input.colours);
  if ('fit' in fields) input.fit = at.choice(fields.fit, 'input.fit', ['letterbox', 'stretch', 'cover']);
  if ('anchor' in fields) input.anchor = at.choice(fields.anchor, 'input.anchor', ['centre', 'start']);
  if ('padding' in fields) input.padding = at.number(fields.padding, 'input.padding', 0, 255);
  if ('normalisedInGraph' in fields) input.normalisedInGraph = at.flag(fields.normalisedInGraph, 'input.normalisedInGraph');
  return input;
}

function parseOutput(json: unknown, at: Reader): Partial<HeadSettings> {
  const fields = at.object(json, 'output', ['head', 'scoreThreshold', 'iouThreshold', 'maxDetections', 'parameters']);
  const output: Partial<HeadSettings> = {};
  if ('head' in fields) output.head = at.text(fields.head, 'output.head', 80);
  if ('scoreThreshold' in fields) output.scoreThreshold = at.number(fields.scoreThreshold, 'output.scoreThreshold', 0, 1);
  if ('iouThreshold' in fields) output.iouThreshold = at.number(fields.iouThreshold, 'output.iouThreshold', 0, 1);
  if ('maxDetections' in fields) output.maxDetections = at.number(fields.maxDetections, 'output.maxDetections', 1, 1000, true);
  if ('parameters' in fields) output.parameters = at.plainJson(fields.parameters, 'output.parameters');
  return output;
}

function parseLabels(json: unknown, at: Reader): string[] {
  if (!Array.isArray(json) || json.length > MOST_LABELS) throw at.wrong('labels', `a list of at most ${MOST_LABELS} texts`, json);
  return Array.from(json as unknown[], (label, index) => {
    // Empty ones are meant: they mark classes that are never reported.
    if (typeof label !== 'string' || label.length > 200) throw at.wrong(`labels[${index}]`, 'a text', label);
    return label;
  });
}

function parseMeasured(json: unknown, at: Reader): NonNullable<Manifest['measured']> {
  const fields = at.object(json, 'measured', ['ap', 'ap50', 'note']);
  const measured: NonNullable<Manifest['measured']> = {};
  if ('ap' in fields) measured.ap = at.number(fields.ap, 'measured.ap', 0, 1);
  if ('ap50' in fields) measured.ap50 = at.number(fields.ap50, 'measured.ap50', 0, 1);
  if ('note' in fields) measured.note = at.text(fields.note, 'measured.note', MOST_TEXT);
  return measured;
}

function parseGolden(json: unknown, at: Reader): GoldenSample[] {
  if (!Array.isArray(json) || json.length > MOST_GOLDEN) {
    throw at.wrong('golden', `a list of at most ${MOST_GOLDEN} samples`, json);
  }
  return Array.from(json as unknown[], (value, index) => {
    const path = `golden[${index}]`;
    const fields = at.object(value, path, ['input', 'expected', 'scoreFrom', 'tolerance']);
    const sample: GoldenSample = {
      input: parseGoldenInput(fields.input, `${path}.input`, at),
      expected: parseExpected(fields.expected, `${path}.expected`, at),
    };
    if ('scoreFrom' in fields) sample.scoreFrom = at.number(fields.scoreFrom, `${path}.scoreFrom`, 0, 1);
    if ('tolerance' in fields) sample.tolerance = parseTolerance(fields.tolerance, `${path}.tolerance`, at);
    return sample;
  });
}

function parseGoldenInput(value: unknown, path: string, at: Reader): unknown {
  if (typeof value === 'number') return at.number(value, path, -Number.MAX_VALUE, Number.MAX_VALUE);
  if (typeof value === 'string') {
    if (isInnerPath(value)) return value;
  } else if (Array.isArray(value)) return at.plainJson({ value }, path).value;
  else if (value !== undefined) return at.plainJson(value, path);
  throw at.wrong(path, "a file in the model's folder, or numbers", value);
}

function parseExpected(value: unknown, path: string, at: Reader): GoldenSample['expected'] {
  const expected = at.plainJson(value, path);
  if (Object.keys(expected).length === 0) throw at.wrong(path, 'fields of the result, like "detections"', value);
  for (const field of ['detections', 'classes'] as const) {
    if (!(field in expected)) continue;
    const list = expected[field];
    if (!Array.isArray(list) || list.length > MOST_EXPECTED) throw at.wrong(`${path}.${field}`, 'a list', list);
    expected[field] = list.map((entry, index) => parseScored(entry, `${path}.${field}[${index}]`, field === 'detections', at));
  }
  return expected;
}

function parseScored(json: unknown, path: string, withBox: boolean, at: Reader) {
  const fields = at.object(json, path, withBox ? ['label', 'score', 'box'] : ['label', 'score']);
  const scored = { label: at.text(fields.label, `${path}.label`, 200), score: at.number(fields.score, `${path}.score`, 0, 1) };
  if (!withBox) return scored;
  const box = at.object(fields.box, `${path}.box`, ['x', 'y', 'width', 'height']);
  const side = (name: 'x' | 'y' | 'width' | 'height') => at.number(box[name], `${path}.box.${name}`, -1e6, 1e6);
  return { ...scored, box: { x: side('x'), y: side('y'), width: side('width'), height: side('height') } };
}

function parseTolerance(json: unknown, path: string, at: Reader): GoldenTolerance {
  const fields = at.object(json, path, ['score', 'overlap', 'absolute', 'relative']);
  const tolerance: GoldenTolerance = {};
  for (const field of ['score', 'overlap', 'absolute', 'relative'] as const) {
    const most = field === 'absolute' ? Number.MAX_VALUE : 1;
    if (field in fields) tolerance[field] = at.number(fields[field], `${path}.${field}`, 0, most);
  }
  return tolerance;
}

function refused(where: string, what: string): EdgeError {
  return new EdgeError('EDGE_MODEL_MANIFEST', `${where}: ${what}`);
}

/** Checks one value each and refuses it in one sentence: where, which field, what was expected, what was there. */
class Reader {
  constructor(private readonly where: string) {}

  wrong(path: string, expected: string, actual: unknown): EdgeError {
    const shown = actual === undefined ? 'nothing' : (JSON.stringify(actual) ?? typeof actual).slice(0, 60);
    return refused(this.where, `${path || 'the whole'}: expected ${expected}, got ${shown}`);
  }

  /** Own fields only, so that nothing inherited or named `__proto__` is ever read. */
  object<K extends string>(value: unknown, path: string, known: readonly K[]): Partial<Record<K, unknown>> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrong(path, 'an object', value);
    const fields: Partial<Record<K, unknown>> = Object.create(null);
    for (const [name, field] of Object.entries(value)) {
      if (!(known as readonly string[]).includes(name)) {
        throw refused(
          this.where,
          `${path ? `${path}.` : ''}${name.slice(0, 60)} is not a known field; known are ${known.join(', ')}`,
        );
      }
      if (field !== undefined) fields[name as K] = field;
    }
    return fields;
  }

  text(value: unknown, path: string, longest: number): string {
    if (typeof value !== 'string' || value === '' || value.length > longest) {
      throw this.wrong(path, `a text of 1 to ${longest} characters`, value);
    }
    return value;
  }

  pattern(value: unknown, path: string, pattern: RegExp, expected: string): string {
    if (typeof value !== 'string' || !pattern.test(value)) throw this.wrong(path, expected, value);
    return value;
  }

  number(value: unknown, path: string, least: number, most: number, integer = false): number {
    const valid = typeof value === 'number' && value >= least && value <= most && (!integer || Number.isInteger(value));
    if (!valid) throw this.wrong(path, `a ${integer ? 'whole ' : ''}number from ${least} to ${most}`, value);
    return value;
  }

  flag(value: unknown, path: string): boolean {
    if (typeof value !== 'boolean') throw this.wrong(path, 'true or false', value);
    return value;
  }

  choice<T extends string>(value: unknown, path: string, choices: readonly T[]): T {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw this.wrong(path, `one of ${choices.join(', ')}`, value);
    return found;
  }

  perChannel(value: unknown, path: string, colours: ImageInput['colours'] | undefined): number[] {
    const channels = colours === 'grey' ? [1] : colours ? [3] : [1, 3];
    const valid = Array.isArray(value) && channels.includes(value.length) && value.every((number) => Number.isFinite(number));
    if (!valid) throw this.wrong(path, `${channels.join(' or ')} numbers`, value);
    return value as number[];
  }

  plainJson(value: unknown, path: string): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrong(path, 'an object', value);
    if (JSON.stringify(value).length > 65_536) throw refused(this.where, `${path} is longer than 65,536 characters`);
    if (Object.hasOwn(value, '__proto__')) throw refused(this.where, `${path}.__proto__ is not a known field`);
    return { ...value };
  }
}
