/** The page of models, its table written from the catalogue: `node scripts/models-page.mjs > docs/models.md` after a build. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const nodeRequire = createRequire(import.meta.url);
const { catalogue } = nodeRequire(join(root, 'dist', 'core', 'model', 'catalogue.js'));
const { HEADS } = nodeRequire(join(root, 'dist', 'core', 'vision', 'heads', 'index.js'));

const BEGIN = '<!-- catalogue: written by scripts/models-page.mjs -->';
const END = '<!-- end of the catalogue -->';
const HEADS_BEGIN = '<!-- heads: written by scripts/models-page.mjs -->';
const HEADS_END = '<!-- end of the heads -->';

const megabytes = (bytes) => (bytes === undefined ? 'in the package' : `${(bytes / 1e6).toFixed(1)} MB`);
const classes = (labels) => {
  const named = labels.filter((label) => label !== '').length;
  return `${named} ${named === 1 ? 'class' : 'classes'}`;
};
const figure = (value) => (value === undefined ? '' : value.toFixed(3));

const models = catalogue().map(({ id, description, task, licence, size, input, quantization, measured, labels }) => [
  `\`${id}\``,
  description,
  `${task}, ${classes(labels)}`,
  `${input.width}x${input.height}, ${quantization === 'none' ? 'float' : quantization}`,
  megabytes(size),
  licence.id,
  figure(measured?.ap50),
  figure(measured?.ap),
]);
const heads = HEADS.map(({ id, task, layout, input, source }) => [`\`${id}\``, task, layout, input ? 'known' : 'asked', source]);

let page = readFileSync(join(root, 'docs', 'models.md'), 'utf8');
page = between(page, BEGIN, END, ['id', 'what it sees', 'task', 'input', 'size', 'licence', 'AP50', 'AP'], models);
page = between(page, HEADS_BEGIN, HEADS_END, ['head', 'task', 'outputs', 'preparation', 'published in'], heads);
process.stdout.write(page);

/** The table in columns of even width, as the formatter has it. */
function between(text, begin, end, header, rows) {
  const widths = header.map((_, column) => Math.max(3, ...[header, ...rows].map((row) => row[column].length)));
  const line = (cells) => `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(' | ')} |`;
  const lines = [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)];
  const [before, rest] = text.split(begin);
  const after = rest.split(end)[1];
  return `${before}${begin}\n\n${lines.join('\n')}\n\n${end}${after}`;
}
