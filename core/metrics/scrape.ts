import type { Family, Labels } from './family';
import { Histogram } from './histogram';

/** Labels as both formats want them, `name="value",...` without the braces. Who measures often writes its own once. */
export type WrittenLabels = string & { readonly written: unique symbol };

/** A sample of a family: its labels, and its value. */
export type Sample = readonly [labels: WrittenLabels, value: number | Histogram];

export const NO_LABELS = '' as WrittenLabels;

/** An empty value is as good as no label and left out. */
export function writeLabels(labels: Labels, before = NO_LABELS): WrittenLabels {
  let text: string = before;
  for (const name in labels) {
    const value = labels[name]!;
    if (value !== '') text += `${text === '' ? '' : ','}${name}="${escapeValue(value)}"`;
  }
  return text as WrittenLabels;
}

/** What is measured at one moment, family by family. A series is there once: what is added to it again is summed (but an info is 1). */
export class Scrape {
  private readonly families = new Map<Family, Map<WrittenLabels, number | Histogram>>();

  add(family: Family, labels: WrittenLabels, value: number): void {
    const series = this.seriesOf(family);
    const known = series.get(labels);
    series.set(labels, typeof known === 'number' && family.type !== 'info' ? known + value : value);
  }

  addHistogram(family: Family, labels: WrittenLabels, value: Histogram): void {
    const series = this.seriesOf(family);
    const known = series.get(labels);
    const sum = known instanceof Histogram ? known : new Histogram(value.bounds);
    sum.add(value);
    series.set(labels, sum);
  }

  /** In the order in which they were first added. */
  entries(): Iterable<readonly [Family, Iterable<Sample>]> {
    return this.families;
  }

  private seriesOf(family: Family): Map<WrittenLabels, number | Histogram> {
    const known = this.families.get(family);
    if (known) return known;
    const series = new Map<WrittenLabels, number | Histogram>();
    this.families.set(family, series);
    return series;
  }
}

function escapeValue(value: string): string {
  // Most values need nothing; the test is cheaper than three replacements.
  if (!/[\\"\n]/.test(value)) return value;
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
