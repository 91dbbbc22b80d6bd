/** The page of error codes, written from the table: `node scripts/errors-page.mjs > docs/errors.md` after a build. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { ERRORS } = createRequire(import.meta.url)(join(root, 'dist', 'core', 'errors.js'));

// Columns of one width, as the formatter wants them.
const cells = Object.entries(ERRORS).map(([code, sentence]) => [`\`${code}\``, sentence]);
const widths = [0, 1].map((column) => Math.max(...cells.map((row) => row[column].length)));
const line = (row, fill = ' ') => `| ${row.map((cell, column) => cell.padEnd(widths[column], fill)).join(' | ')} |`;
const table = [line(['code', 'what it means']), line(['', ''], '-'), ...cells.map((row) => line(row))];
process.stdout.write(`# Error codes

Every error of this palette has one of these codes. A Catch node finds it in \`msg.error.code\`; the node's status shows it in the
viewer's language; the log has the sentence, what was found and what mends it. A code that repeats at a node is logged once in
30 seconds together with how often it came; Catch nodes get every one.

${table.join('\n')}
`);
