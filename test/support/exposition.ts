/**
 * A reader of Prometheus' text format 0.0.4 and of OpenMetrics 1.0.0, written from their grammars and independent of what
 * writes them here: everything that it does not know is an error.
 */
export interface ReadFamily {
  type: string;
  help: string;
  unit?: string;
  samples: ReadSample[];
}

export interface ReadSample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*/;
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;
const TYPES = { prometheus: ['counter', 'gauge', 'histogram'], openmetrics: ['counter', 'gauge', 'histogram', 'info'] };

export function readExposition(text: string, format: 'prometheus' | 'openmetrics'): Map<string, ReadFamily> {
  if (!text.endsWith('\n')) throw new Error('no line break at the end');
  const lines = text.slice(0, -1).split('\n');
  if (format === 'openmetrics' && lines.pop() !== '# EOF') throw new Error('no # EOF at the end');
  const families = new Map<string, ReadFamily>();
  let current: [name: string, family: ReadFamily] | undefined;
  const series = new Set<string>();
  for (const line of lines) {
    const fail = (why: string): never => {
      throw new Error(`${why}: ${JSON.stringify(line)}`);
    };
    if (/[\r\t]/.test(line)) fail('a control character');
    const comment = /^# (HELP|TYPE|UNIT) (\S+) (.*)$/.exec(line);
    if (comment) {
      const [, keyword, name, rest] = comment as unknown as [string, string, string, string];
      if (!NAME.test(name) || NAME.exec(name)![0] !== name) fail('no name');
      if (current?.[0] !== name) {
        if (families.has(name)) fail('a family in two places');
        current = [name, { type: '', help: '', samples: [] }];
        families.set(name, current[1]);
      }
      const [, known] = current;
      if (known.samples.length > 0) fail('a description after samples');
      if (keyword === 'TYPE') {
        if (known.type !== '' || !TYPES[format].includes(rest)) fail('no type');
        known.type = rest;
      } else if (keyword === 'HELP') {
        if (known.help !== '') fail('help twice');
        known.help = unescaped(rest, format === 'openmetrics' ? '\\n"' : '\\n', fail);
      } else {
        if (format !== 'openmetrics' || !name.endsWith(`_${rest}`)) fail('no unit');
        known.unit = rest;
      }
      continue;
    }
    const { name, labels, value } = readSample(line, fail);
    const of = current ?? fail('a sample without a family');
    if (!belongs(name, labels, of[0], of[1].type, format)) fail(`a sample that is not of ${of[0]}`);
    const key = `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
    if (series.has(key)) fail('a series twice');
    series.add(key);
    if (name.endsWith('_info') && value !== 1) fail('an info that is not 1');
    of[1].samples.push({ name, labels, value });
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

/** The value of the one series of this name that has these labels; undefined where there is none. */
export function valueIn(
  families: Map<string, ReadFamily>,
  name: string,
  labels: Record<string, string> = {},
): number | undefined {
  const found = [...families.values()]
    .flatMap(({ samples }) => samples)
    .filter((sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value));
  if (found.length > 1) throw new Error(`${found.length} series of ${name}`);
  return found[0]?.value;
}

type Fail = (why: string) => never;

function readSample(line: string, fail: Fail): ReadSample {
  const name = NAME.exec(line)?.[0] ?? fail('no sample');
  let rest = line.slice(name.length);
  const labels: Record<string, string> = {};
  if (rest.startsWith('{')) {
    rest = rest.slice(1);
    while (!rest.startsWith('}')) {
      const label = LABEL.exec(rest)?.[0] ?? fail('no label');
      const quoted = /^="((?:[^"\\]|\\.)*)"/.exec(rest.slice(label.length)) ?? fail('no value of a label');
      if (label in labels || label.startsWith('__')) fail('a label twice or reserved');
      labels[label] = unescaped(quoted[1]!, '\\n"', fail);
      rest = rest.slice(label.length + quoted[0].length);
      if (rest.startsWith(',')) rest = rest.slice(1);
      else if (!rest.startsWith('}')) fail('labels that do not end');
    }
    rest = rest.slice(1);
  }
  if (!rest.startsWith(' ')) fail('no space before the value');
  return { name, labels, value: readNumber(rest.slice(1), fail) };
}

function readNumber(text: string, fail: Fail): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  if (text === 'NaN') return Number.NaN;
  return NUMBER.test(text) ? Number(text) : fail('no number');
}

function unescaped(text: string, known: string, fail: Fail): string {
  return text.replace(/\\(.?)/g, (_whole, escaped: string) => {
    if (escaped === '' || !known.includes(escaped)) fail('an unknown escape');
    return escaped === 'n' ? '\n' : escaped;
  });
}

function belongs(name: string, labels: Record<string, string>, family: string, type: string, format: string): boolean {
  if (type === 'histogram') {
    return (name === `${family}_bucket` && 'le' in labels) || name === `${family}_sum` || name === `${family}_count`;
  }
  if (format === 'openmetrics' && type === 'counter') return name === `${family}_total`;
  if (format === 'openmetrics' && type === 'info') return name === `${family}_info`;
  return name === family && (type !== 'counter' || family.endsWith('_total'));
}

/** Buckets ascend, grow, and end with the infinite one, which holds as many as were counted. */
function checkHistogram(name: string, { samples }: ReadFamily): void {
  const keyOf = ({ le: _le, ...labels }: Record<string, string>) => JSON.stringify(labels);
  for (const key of new Set(samples.map(({ labels }) => keyOf(labels)))) {
    const own = samples.filter(({ labels }) => keyOf(labels) === key);
    const buckets = own.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => (labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le)));
    const ascends = (values: number[], strictly: boolean) =>
      values.every((value, i) => i === 0 || (strictly ? value > values[i - 1]! : value >= values[i - 1]!));
    const count = own.find((sample) => sample.name === `${name}_count`)?.value;
    const whole = ascends(bounds, true) && bounds.at(-1) === Number.POSITIVE_INFINITY && buckets.at(-1)!.value === count;
    const values = buckets.map(({ value }) => value);
    if (!whole || !ascends(values, false) || !own.some((sample) => sample.name === `${name}_sum`)) {
      throw new Error(`the histogram ${name} is not whole`);
    }
  }
}
