import type { Family } from './family';
import type { Histogram } from './histogram';
import type { Sample, Scrape } from './scrape';

/** Prometheus' text format 0.0.4, which every scraper reads, and OpenMetrics 1.0.0, which has units. */
export type Format = 'prometheus' | 'openmetrics';

export const CONTENT_TYPES: Readonly<Record<Format, string>> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** The format that an Accept header prefers; the older one where it says nothing of either. */
export function formatFor(accept: string | undefined): Format {
  let openMetrics = 0;
  let text = 0;
  for (const range of (accept ?? '').toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    const value = (name: string) => parameters.find((one) => one.startsWith(`${name}=`))?.slice(name.length + 1);
    const quality = Number(value('q') ?? 1);
    if (!(quality > 0)) continue;
    const version = value('version') ?? '1.0.0';
    if (type === 'application/openmetrics-text' && version === '1.0.0') openMetrics = Math.max(openMetrics, quality);
    else if (type === 'text/plain' || type === 'text/*' || type === '*/*') text = Math.max(text, quality);
  }
  return openMetrics > 0 && openMetrics >= text ? 'openmetrics' : 'prometheus';
}

/** The text of a scrape, a family at a time, so that a caller may let the event loop turn between two. */
export function* write(scrape: Scrape, format: Format): Generator<string> {
  for (const [family, samples] of scrape.entries()) yield writeFamily(family, samples, format);
  if (format === 'openmetrics') yield '# EOF\n';
}

/** Ends of the samples' names. */
const SUFFIX: Partial<Record<Family['type'], string>> = { counter: '_total', info: '_info' };

function writeFamily({ name, type, help, unit }: Family, samples: Iterable<Sample>, format: Format): string {
  const sampled = `${name}${SUFFIX[type] ?? ''}`;
  let text: string;
  if (format === 'openmetrics') {
    text = `# TYPE ${name} ${type}\n${unit ? `# UNIT ${name} ${unit}\n` : ''}# HELP ${name} ${escapeHelp(help).replace(/"/g, '\\"')}\n`;
  } else {
    // 0.0.4 knows no info, and means by a family's name that of its samples.
    text = `# HELP ${sampled} ${escapeHelp(help)}\n# TYPE ${sampled} ${type === 'info' ? 'gauge' : type}\n`;
  }
  for (const [labels, value] of samples) {
    if (typeof value !== 'number') text += writeHistogram(name, labels, value, format);
    else text += `${sampled}${labels === '' ? '' : `{${labels}}`} ${writeNumber(value)}\n`;
  }
  return text;
}

function writeHistogram(name: string, labels: string, { bounds, counts, sum }: Histogram, format: Format): string {
  const before = labels === '' ? '' : `${labels},`;
  let text = '';
  let below = 0;
  for (const [bucket, count] of counts.entries()) {
    below += count;
    const bound = bounds[bucket];
    text += `${name}_bucket{${before}le="${bound === undefined ? '+Inf' : writeBound(bound, format)}"} ${below}\n`;
  }
  const braces = labels === '' ? '' : `{${labels}}`;
  return `${text}${name}_sum${braces} ${writeNumber(sum)}\n${name}_count${braces} ${below}\n`;
}

/** OpenMetrics wants bounds as floating point numbers, so that each has one spelling. */
function writeBound(bound: number, format: Format): string {
  const text = writeNumber(bound);
  return format === 'openmetrics' && /^\d+$/.test(text) ? `${text}.0` : text;
}

function writeNumber(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

function escapeHelp(help: string): string {
  return help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n');
}
