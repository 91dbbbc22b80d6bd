import { family, formatFor, Histogram, NO_LABELS, Scrape, write, writeLabels } from '../../../core/metrics';
import { readExposition, valueIn } from '../../support/exposition';

const MESSAGES = family('counter', 'test_messages', 'Messages with a \\ and\na line break');
const AGE = family('gauge', 'test_age_seconds', 'An "age"');
const RUN = family('histogram', 'test_run_seconds', 'Runs');
const BUILD = family('info', 'test_build', 'Versions');

const HOSTILE = 'a "name"\\ with\nlines} 1\n# EOF, and {braces}=';

function scrape(): Scrape {
  const made = new Scrape();
  made.add(BUILD, writeLabels({ version: '1.2.3' }), 1);
  made.add(MESSAGES, writeLabels({ name: HOSTILE }), 3);
  made.add(MESSAGES, writeLabels({ name: 'other', empty: '' }), 1e21);
  made.add(AGE, NO_LABELS, 0.25);
  made.add(AGE, writeLabels({ name: 'unknown' }), Number.NaN);
  made.add(AGE, writeLabels({ name: 'far' }), Number.POSITIVE_INFINITY);
  const histogram = new Histogram([0.001, 1, 10]);
  for (const value of [0.0001, 0.001, 0.5, 3, 100, Number.NaN]) histogram.observe(value);
  made.addHistogram(RUN, writeLabels({ model: 'm' }), histogram);
  return made;
}

const text = (format: 'prometheus' | 'openmetrics') => [...write(scrape(), format)].join('');

describe('the text of a scrape', () => {
  it('is what a Prometheus reads', () => {
    const read = readExposition(text('prometheus'), 'prometheus');
    expect([...read].map(([name, { type }]) => [name, type])).toEqual([
      ['test_build_info', 'gauge'],
      ['test_messages_total', 'counter'],
      ['test_age_seconds', 'gauge'],
      ['test_run_seconds', 'histogram'],
    ]);
    expect(read.get('test_messages_total')!.help).toBe('Messages with a \\ and\na line break');
    expect(valueIn(read, 'test_messages_total', { name: HOSTILE })).toBe(3);
    expect(valueIn(read, 'test_messages_total', { name: 'other' })).toBe(1e21);
    expect(read.get('test_age_seconds')!.samples.map(({ value }) => value)).toEqual([0.25, Number.NaN, Number.POSITIVE_INFINITY]);
  });

  it('is what an OpenMetrics reader reads, with units', () => {
    const read = readExposition(text('openmetrics'), 'openmetrics');
    expect([...read].map(([name, { type, unit }]) => [name, type, unit])).toEqual([
      ['test_build', 'info', undefined],
      ['test_messages', 'counter', undefined],
      ['test_age_seconds', 'gauge', 'seconds'],
      ['test_run_seconds', 'histogram', 'seconds'],
    ]);
    expect(read.get('test_age_seconds')!.help).toBe('An "age"');
    expect(valueIn(read, 'test_messages_total', { name: HOSTILE })).toBe(3);
    expect(text('openmetrics')).toContain('le="1.0"');
  });

  it.each(['prometheus', 'openmetrics'] as const)('has buckets that hold what is under their bounds (%s)', (format) => {
    const read = readExposition(text(format), format);
    const buckets = read.get('test_run_seconds')!.samples.filter(({ name }) => name.endsWith('_bucket'));
    expect(buckets.map(({ labels, value }) => [Number(labels.le), value])).toEqual([
      [0.001, 2],
      [1, 3],
      [10, 4],
      [Number.NaN, 5],
    ]);
    expect(valueIn(read, 'test_run_seconds_sum')).toBeCloseTo(103.5011);
    expect(valueIn(read, 'test_run_seconds_count')).toBe(5);
  });

  it('has every series once: what comes again is added', () => {
    const twice = scrape();
    twice.add(MESSAGES, writeLabels({ name: HOSTILE }), 4);
    const histogram = new Histogram([0.001, 1, 10]);
    histogram.observe(0.5);
    twice.add(BUILD, writeLabels({ version: '1.2.3' }), 1);
    twice.addHistogram(RUN, writeLabels({ model: 'm' }), histogram);
    const read = readExposition([...write(twice, 'prometheus')].join(''), 'prometheus');
    expect(valueIn(read, 'test_messages_total', { name: HOSTILE })).toBe(7);
    expect(valueIn(read, 'test_run_seconds_count')).toBe(6);
    // Nothing was added to what somebody else counts.
    expect(histogram.sum).toBe(0.5);
  });
});

it.each(['messages_total', 'Upper', 'with-dash', '', 'runs_count'])('no metric is called "%s"', (name) => {
  expect(() => family('gauge', name, 'help')).toThrow(TypeError);
});

describe('the format', () => {
  it.each([
    [undefined, 'prometheus'],
    ['*/*', 'prometheus'],
    ['text/plain', 'prometheus'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'prometheus'],
    ['application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1', 'openmetrics'],
    ['application/openmetrics-text; version=1.0.0; charset=utf-8', 'openmetrics'],
    ['text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5', 'prometheus'],
    ['application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5', 'prometheus'],
    ['application/openmetrics-text;q=0', 'prometheus'],
    [
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
      'openmetrics',
    ],
  ])('for "%s" is %s', (accept, format) => {
    expect(formatFor(accept)).toBe(format);
  });

  it('is found for a hostile one as well', () => {
    expect(formatFor(';q=,'.repeat(100_000))).toBe('prometheus');
  });
});
