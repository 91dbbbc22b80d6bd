import { type GoldenSample, type GoldenTolerance, isInnerPath } from './golden';
import type { Reader } from './manifest-reader';

/** Most samples of a manifest, and most boxes or classes that one expects. */
const MOST_GOLDEN = 32;
const MOST_EXPECTED = 1000;

/** The golden samples of a manifest. @throws EDGE_MODEL_MANIFEST */
export function parseGolden(json: unknown, at: Reader): GoldenSample[] {
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
    const parse = field === 'detections' ? parseDetection : parseClass;
    expected[field] = list.map((entry, index) => parse(entry, `${path}.${field}[${index}]`, at));
  }
  return expected;
}

function parseDetection(json: unknown, path: string, at: Reader) {
  const fields = at.object(json, path, ['label', 'score', 'box']);
  const box = at.object(fields.box, `${path}.box`, ['x', 'y', 'width', 'height']);
  const side = (name: 'x' | 'y' | 'width' | 'height') => at.number(box[name], `${path}.box.${name}`, -1e6, 1e6);
  return {
    ...labelled(fields, path, 'score', at),
    box: { x: side('x'), y: side('y'), width: side('width'), height: side('height') },
  };
}

/** Of a classifier with its score, of a segmentation with its share of the picture. */
function parseClass(json: unknown, path: string, at: Reader) {
  // A result gives the class's number, too; the label says it.
  const fields = at.object(json, path, ['class', 'label', 'score', 'share']);
  return labelled(fields, path, 'share' in fields && !('score' in fields) ? 'share' : 'score', at);
}

function labelled(
  fields: { label?: unknown; score?: unknown; share?: unknown },
  path: string,
  figure: 'score' | 'share',
  at: Reader,
) {
  return { label: at.text(fields.label, `${path}.label`, 200), [figure]: at.number(fields[figure], `${path}.${figure}`, 0, 1) };
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
