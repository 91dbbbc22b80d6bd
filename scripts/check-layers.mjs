/**
 * The floors of the house: who may import whom under core/ and nodes/. Imports are read from the syntax tree (type imports,
 * re-exports, import(), require() and import types count too).
 *
 *   node scripts/check-layers.mjs [ROOT]     prints every fault and exits with 1 if there is one
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from '@swc/core';

/** From the ground up. Rooms of one floor do not know each other. */
const FLOORS = [
  ['core/errors.ts', 'core/secrets.ts'],
  ['core/message', 'core/metrics', 'core/fetch'],
  ['core/media', 'core/signal', 'core/model', 'core/inference', 'core/anomaly', 'core/delivery'],
  ['core/vision'],
  ['core/task', 'core/quantize'],
];

/** A node is glue: when its file grows past this, a piece of the core is missing. */
const NODE_LINES = 120;

const root = resolve(process.argv[2] ?? dirname(dirname(fileURLToPath(import.meta.url))));
const files = [...sources('core'), ...sources('nodes')];
const imports = new Map(files.map((file) => [file, importsOf(file)]));
const faults = [...imports].flatMap(([file, found]) => found.flatMap((one) => faultsOf(file, one)));
faults.push(...circles(), ...longNodes());

for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;
else console.log(`layers: ${files.length} files, every import points down`);

function faultsOf(file, { specifier, target, typeOnly, line }) {
  const at = `${file}:${line}`;
  if (target === undefined) {
    const isNodeRed = /^(node-red|@node-red)(\/|$)/.test(specifier);
    return file.startsWith('core/') && isNodeRed ? [`${at} the engine knows no Node-RED: ${specifier}`] : [];
  }
  if (!existsSync(join(root, target))) return [`${at} imports what does not exist: ${specifier}`];
  return file.startsWith('core/') ? faultsOfEngine(file, target, at) : faultsOfNode(file, target, typeOnly, at);
}

function faultsOfEngine(file, target, at) {
  if (!target.startsWith('core/')) return [`${at} the engine imports nothing above it: ${target}`];
  const [from, to] = [roomOf(file), roomOf(target)];
  if (from === undefined) return [`${at} ${file} lies in no room of a floor`];
  if (to === undefined) return [`${at} ${target} lies in no room of a floor`];
  if (from.name === to.name || to.floor < from.floor) return [];
  if (to.floor > from.floor) return [`${at} imports upwards: ${from.name} -> ${to.name}`];
  return [`${at} imports sideways: ${from.name} -> ${to.name}`];
}

function faultsOfNode(file, target, typeOnly, at) {
  const own = folderOf(file);
  if (target.startsWith('nodes/')) {
    const other = folderOf(target);
    if (own === 'nodes/common' && other !== own) return [`${at} what all nodes share knows none of them: ${target}`];
    if (other !== own && other !== 'nodes/common') return [`${at} one node imports another: ${target}`];
    if (isEditor(target) && !isEditor(file)) return [`${at} the runtime imports the editor's half: ${target}`];
    return [];
  }
  if (!target.startsWith('core/')) return [`${at} imports what is not shipped: ${target}`];
  if (isEditor(file)) return typeOnly ? [] : [`${at} the editor's half uses only types of the engine: ${target}`];
  if (own !== 'nodes/edge-infer') return [];
  const ground = target === 'core/errors.ts' || (typeOnly && target.startsWith('core/message/'));
  return ground || target.startsWith('core/task/')
    ? []
    : [`${at} edge-infer uses core/task and nothing else of the engine: ${target}`];
}

function roomOf(file) {
  for (const [floor, rooms] of FLOORS.entries()) {
    const name = rooms.find((room) => file === room || file.startsWith(`${room}/`));
    if (name) return { floor, name };
  }
  return undefined;
}

function folderOf(file) {
  return file.split('/').slice(0, 2).join('/');
}

function isEditor(file) {
  return file.endsWith('.editor.ts') || file.startsWith('nodes/common/editor/');
}

/** Circles of imports that remain when the program runs; a pair of files that share types is none. */
function circles() {
  const found = [];
  const state = new Map();
  const visit = (file, path) => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      found.push(`a circle: ${[...path.slice(path.indexOf(file)), file].join(' -> ')}`);
      return;
    }
    state.set(file, 'open');
    for (const { target, typeOnly } of imports.get(file) ?? []) if (target && !typeOnly) visit(target, [...path, file]);
    state.set(file, 'done');
  };
  for (const file of files) visit(file, []);
  return found;
}

function longNodes() {
  return files
    .filter((file) => /^nodes\/([^/]+)\/\1\.ts$/.test(file))
    .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > NODE_LINES)
    .map(({ file, lines }) => `${file} has ${lines} lines, more than ${NODE_LINES}: a piece of the core is missing`);
}

function sources(folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?ts$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}

/** @returns every import of a file; `target` is the file it leads to, relative to the root, absent for packages. */
function importsOf(file) {
  const source = readFileSync(join(root, file), 'utf8');
  const tree = parseSync(source, { syntax: 'typescript', target: 'es2022' });
  const found = [];
  const add = (literal, typeOnly) => {
    if (literal?.type !== 'StringLiteral') return;
    const specifier = literal.value;
    found.push({ specifier, target: targetOf(file, specifier), typeOnly, line: lineWith(source, specifier) });
  };
  walk(tree, (node) => {
    if (node.type === 'ImportDeclaration') add(node.source, node.typeOnly || allTypes(node.specifiers));
    else if (node.type === 'ExportAllDeclaration') add(node.source, Boolean(node.typeOnly));
    else if (node.type === 'ExportNamedDeclaration') add(node.source, node.typeOnly || allTypes(node.specifiers));
    else if (node.type === 'TsImportType') add(node.argument, true);
    else if (node.type === 'TsExternalModuleReference') add(node.expression, false);
    else if (node.type === 'CallExpression' && loads(node.callee)) add(node.arguments[0]?.expression, false);
  });
  return found;
}

/** `import {}` with type specifiers only leaves nothing behind; a bare `import 'x'` does. */
function allTypes(specifiers) {
  return specifiers.length > 0 && specifiers.every((specifier) => specifier.isTypeOnly);
}

/** import(...), require(...), require.resolve(...) */
function loads(callee) {
  if (callee.type === 'Import') return true;
  if (callee.type === 'MemberExpression') return loads(callee.object);
  return callee.type === 'Identifier' && callee.value === 'require';
}

function lineWith(source, specifier) {
  return source.split('\n').findIndex((line) => line.includes(`'${specifier}'`) || line.includes(`"${specifier}"`)) + 1;
}

function walk(node, visit) {
  if (Array.isArray(node)) for (const child of node) walk(child, visit);
  else if (node && typeof node === 'object') {
    if (typeof node.type === 'string') visit(node);
    for (const child of Object.values(node)) if (child && typeof child === 'object') walk(child, visit);
  }
}

function targetOf(file, specifier) {
  if (!specifier.startsWith('.')) return undefined;
  const path = relative(root, resolve(root, dirname(file), specifier)).replaceAll('\\', '/');
  const candidates = [`${path}.ts`, `${path}/index.ts`, path.replace(/\.js$/, '.ts'), path];
  return candidates.find((candidate) => existsSync(join(root, candidate)) && /\.\w+$/.test(candidate)) ?? path;
}
