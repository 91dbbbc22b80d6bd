import type { Family, Labels } from './family';
import { Histogram } from './histogram';

/** A sample of a family: its labels as they are written, and its value. */
export type Sample = readonly [labels: string, value: number | Histogram];

/** What is measured at one moment, family by family. A series is there once: what is added to it again is summed. */
export class Scrape {
  private readonly families = new Map<Family, Map<string, number | Histogram>>();

  add(family: Family, labels: Labels, value: number): void {
    const series = this.seriesOf(family);
    const key = writeLabels(labels);
    const known = series.get(key);
    series.set(key, typeof known === 'number' ? known + value : value);
  }

  addHistogram(family: Family, labels: Labels, value: Histogram): void {
    const series = this.seriesOf(family);
    const key = writeLabels(labels);
    const known = series.get(key);
    const sum = known instanceof Histogram ? known : new Histogram(value.bounds);
    sum.add(value);
    series.set(key, sum);
  }

  /** In the order in which they were first added. */
  entries(): Iterable<readonly [Family, Iterable<Sample>]> {
    return this.families;
  }

  private seriesOf(family: Family): Map<string, number | Histogram> {
    const known = this.families.get(family);
    if (known) return known;
    const series = new Map<string, number | Histogram>();
    this.families.set(family, series);
    return series;
  }
}

/** `name="value",...` as both formats want it, without the braces; an empty value is as good as no label and left out. */
function writeLabels(labels: Labels): string {
  let text = '';
  for (const name in labels) {
    const value = labels[name]!;
    if (value !== '') text += `${text === '' ? '' : ','}${name}="${escapeValue(value)}"`;
  }
  return text;
}

function escapeValue(value: string): string {
  // Most values need nothing; the test is cheaper than three replacements.
  if (!/[\\"\n]/.test(value)) return value;
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
