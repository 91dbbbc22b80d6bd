import { readdirSync } from 'node:fs';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import type { Bench, BenchMain, BenchOptions, Measurement } from './support/bench';

/** `npm run bench -- NAME [--json] [--long] [--data DIR] [--labels DIR]`: one measurement, one command. */
async function main(): Promise<void> {
  const names = readdirSync(__dirname)
    .filter((file) => file.endsWith('.js') && file !== 'main.js')
    .map((file) => file.slice(0, -3));
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { json: { type: 'boolean' }, long: { type: 'boolean' }, data: { type: 'string' }, labels: { type: 'string' } },
  });
  const [name, ...rest] = positionals;
  if (name === undefined || !names.includes(name)) {
    process.stderr.write(
      `usage: npm run bench -- NAME [--json] [--long] [--data DIR] [--labels DIR]\nNAME is one of: ${names.join(', ')}\n`,
    );
    process.exitCode = 2;
    return;
  }
  const options: BenchOptions = {
    long: values.long ?? false,
    json: values.json ?? false,
    rest,
    ...(values.data === undefined ? {} : { data: values.data }),
    ...(values.labels === undefined ? {} : { labels: values.labels }),
  };
  const figures: Measurement[] = [];
  const machine = describeMachine();
  const bench: Bench = {
    options,
    note: (text) => process.stderr.write(`${text}\n`),
    record: (figure) => {
      figures.push({ bench: name, ...figure, machine });
      const target = figure.target ? `  (target ${figure.target})` : '';
      const line = `${name}  ${figure.case}  ${figure.measure} = ${format(figure.value)} ${figure.unit}${target}\n`;
      (options.json ? process.stderr : process.stdout).write(line);
    },
  };
  if (!options.json) process.stdout.write(`${machine}\n`);
  const run = (await import(`./${name}.js`)) as { default: BenchMain | { default: BenchMain } };
  await (typeof run.default === 'function' ? run.default : run.default.default)(bench);
  if (options.json) process.stdout.write(`${JSON.stringify(figures, null, 1)}\n`);
  const missed = figures.filter((figure) => figure.target !== undefined && !meets(figure.value, figure.target));
  for (const figure of missed)
    bench.note(`missed: ${figure.case} ${figure.measure} = ${format(figure.value)}, target ${figure.target}`);
}

/** Targets are written ">= 0.95", "<= 0.01", "< 5", "> 1" or "= 0". */
function meets(value: number, target: string): boolean {
  const parts = /^(>=|<=|<|>|=)\s*(-?[\d.]+)$/.exec(target);
  if (!parts) throw new Error(`a target that is not understood: ${target}`);
  const bound = Number(parts[2]);
  switch (parts[1]) {
    case '>=':
      return value >= bound;
    case '<=':
      return value <= bound;
    case '<':
      return value < bound;
    case '>':
      return value > bound;
    default:
      return value === bound;
  }
}

function describeMachine(): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU';
  return `${model}, ${availableParallelism()} cores, ${(totalmem() / 2 ** 30).toFixed(0)} GiB, ${process.platform} ${process.arch}, Node ${process.versions.node}`;
}

function format(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}

main().then(
  // Native runtimes keep threads; a bench that is done is done.
  () => process.exit(),
  (thrown: unknown) => {
    console.error(thrown);
    process.exit(1);
  },
);
